"""Following an execution at a server: nothing missing, nothing twice, until it rests."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import ExitStack, asynccontextmanager

import psycopg
import pytest
import sqlalchemy as sa
from api_house import HandMoved
from api_server import api_server
from fake_llm import FakeLLM
from scripted_bakery import QUESTIONS, TYPES, asking, reply
from serve_process import ServeProcess

from combine.auth.permissions import OPERATOR, Scope
from combine.cli.remote.address import parse_address
from combine.cli.remote.client import open_client
from combine.cli.remote.following import Following, Pace
from combine.cli.remote.inspection import RemoteInspection
from combine.documents.statuses import ExecutionStatus
from combine.errors import NotFound, Unavailable
from combine.services.tokens import TokenService

QUICK = Pace(first_pause=0.01, max_pause=0.05, patience=0.3, queued=0.05)


@pytest.fixture
def server(database_url):
    with api_server(database_url) as running:
        yield running


@pytest.fixture
async def token(database):
    return (await TokenService(database, actor=OPERATOR).create("tests", Scope.READ)).secret


class Watcher:
    """Follows one execution and keeps what came."""

    def __init__(self, client, execution_id, pace=QUICK):
        async def look():
            return await RemoteInspection(client, self.said.append).detail(str(execution_id))

        self.said, self.seen = [], []
        self._following = Following(client, execution_id, look, self.said.append, pace)

    async def follow(self, after=0):
        async for event in self._following.events(after):
            self.seen.append(event.seq)

    async def until(self, count):
        async with asyncio.timeout(20):
            while len(self.seen) < count:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def watching(url, token, execution_id, after=0, pace=QUICK):
    async with open_client(parse_address(url), token) as client:
        watcher = Watcher(client, execution_id, pace)
        watcher.task = asyncio.create_task(watcher.follow(after))
        try:
            yield watcher
        finally:
            watcher.task.cancel()
            await asyncio.gather(watcher.task, return_exceptions=True)


class Moved(HandMoved):
    """With a workflow of one step, so that they can be looked at."""

    async def new(self):
        new_id = await super().new()
        steps = [{"step_id": "draft", "role": "PM", "inputs": [], "outputs": ["memo"], "is_final": True}]
        whole = json.dumps({"workflow_id": "memo", "name": "Memo", "version": "1", "steps": steps})
        change = sa.text("UPDATE executions SET definition = CAST(:whole AS jsonb) WHERE id = :id")
        await self.database.transact(lambda session: session.connection.execute(change, {"whole": whole, "id": new_id}))
        return new_id


@pytest.fixture
def moved(database):
    return Moved(database)


@pytest.mark.parametrize(
    "status",
    [status.value for status in ExecutionStatus if status not in {ExecutionStatus.QUEUED, ExecutionStatus.RUNNING}],
)
async def test_it_ends_when_the_execution_rests(server, token, moved, status):
    execution = await moved.new()
    await moved.event(execution, times=3)
    async with watching(server.url, token, execution) as watcher:
        await watcher.until(3)
        await moved.event(execution)
        await moved.status(execution, status)
        await asyncio.wait_for(watcher.task, 20)
    assert watcher.seen == [1, 2, 3, 4, 5]


async def test_what_already_rests_is_told_to_its_last_event_and_no_further(server, token, moved):
    """Its last event does not say that it rests: somebody has answered one of two questions since."""
    execution = await moved.new()
    await moved.event(execution, times=2)
    await moved.status(execution, "waiting_for_answers")
    await moved.event(execution, "answered")
    for after in (0, 3, 4):
        async with watching(server.url, token, execution, after) as watcher:
            await asyncio.wait_for(watcher.task, 20)
        assert watcher.seen == list(range(after + 1, 5))


async def test_that_nothing_takes_it_is_said_once(server, token, moved):
    execution = await moved.new()
    async with watching(server.url, token, execution) as watcher:
        async with asyncio.timeout(20):
            while not watcher.said:
                await asyncio.sleep(0.01)
        await moved.event(execution)
        await watcher.until(1)
        await moved.silently(execution, "failed")  # nobody is told of this, so only looking finds it
        await asyncio.wait_for(watcher.task, 20)
    assert len(watcher.said) == 1
    assert "combine worker" in watcher.said[0]


async def test_a_server_that_stays_away_is_given_up(token, moved, database_url):
    execution = await moved.new()
    with ExitStack() as stack:
        url = stack.enter_context(api_server(database_url)).url
        async with watching(url, token, execution, pace=Pace(0.01, 0.05, patience=0.1)) as watcher:
            await moved.event(execution)
            await watcher.until(1)
            await asyncio.to_thread(stack.close)
            with pytest.raises(Unavailable) as away:
                await asyncio.wait_for(watcher.task, 60)
    assert away.value.code == "server_unreachable"
    assert [line for line in watcher.said if "0.1 s" in line]


async def test_what_one_may_not_see_is_not_followed(server, moved, token):
    async with watching(server.url, token, "00000000-0000-4000-8000-000000000000") as watcher:
        with pytest.raises(NotFound):
            await asyncio.wait_for(watcher.task, 20)


@pytest.fixture
def serving(cli):
    """A server with a worker, where each reply takes a while."""
    replies = {name: [reply(name)] for name in TYPES} | {TYPES[0]: [asking(*QUESTIONS), reply(TYPES[0])]}
    script = cli.write("slow.json", json.dumps({"delay_s": 0.7, "replies": replies}))
    yield from served(cli, cli.env() | {"COMBINE_SCRIPTED_FILE": script})


def served(cli, environment):
    server = ServeProcess(environment, cli.folder).start()
    made = cli.here("tokens", "create", "tests", "--scope", "run")
    cli.environment |= {"COMBINE_TOKEN": made.out.strip(), "COMBINE_SERVER": server.url}
    yield server
    server.stop()


class Held:
    """A provider that answers nothing until it is let go."""

    def __init__(self):
        self.release = threading.Event()
        self.fake = FakeLLM(self._answer)

    def _answer(self, received):
        self.release.wait(60)
        if received.document_type == TYPES[0] and '"Q-1"' not in received.prompt:
            return asking(*QUESTIONS)["json"]
        return reply(received.document_type)["json"]


@pytest.fixture
def held():
    provider = Held()
    with provider.fake:
        yield provider
        provider.release.set()


@pytest.fixture
def serving_held(cli, held):
    """A server with a worker, whose provider is held."""
    yield from served(cli, cli.env() | held.fake.env() | {"COMBINE_LLM_DEFAULT_MODEL": "claude-sonnet-5-5"})


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_server_that_goes_and_comes_back_is_followed_without_gap_or_repeat(cli, held, serving_held, how):
    begun = cli.begin("run", cli.brief, "--project", "cakes", "--no-questions", "--json")
    while "drafting" not in (line := begun.stderr.readline()):
        assert line, begun.stdout.read()
    [one] = cli.here("list", "--json").json
    with cli.begin("watch", one["id"], "--json") as watch:
        events = [json.loads(watch.stdout.readline()) for _ in range(3)]
        if how == "kill":
            serving_held.kill()
            held.release.set()
        else:
            held.release.set()  # else stopping waits for it
            serving_held.stop()
        serving_held.start()
        events += [json.loads(line) for line in watch.stdout]
        assert watch.wait(60) == 0
    out, err = begun.communicate(timeout=60)
    assert begun.returncode == 0, err
    assert json.loads(out)["status"] == "completed"
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["kind"] == "execution_completed"
    with psycopg.connect(cli.url) as connection:
        assert connection.execute("SELECT max(seq) FROM events").fetchone() == (len(events),)
    if how == "kill":
        assert err.count("The server is available again.") == 1


def test_a_run_that_is_left_goes_on_at_the_server(cli, serving):
    terminal = cli.terminal("run", cli.brief, "--project", "cakes", "--no-questions")
    terminal.expect("drafting project-discovery")
    terminal.sendintr()
    terminal.expect("Detached; execution ([0-9a-f]{8}) continues on")
    execution = terminal.match[1]
    code, said = cli.finish(terminal)
    assert code == 1
    assert f"combine watch {execution}" in said
    watched = cli("watch", execution)
    assert (watched.code, "Completed: 4 documents" in watched.out) == (0, True), watched.err


def test_questions_are_asked_at_the_terminal(cli, serving):
    terminal = cli.terminal("run", cli.brief, "--project", "cakes")
    for answer in ("1", ""):
        terminal.expect("> ")
        terminal.sendline(answer)
    terminal.expect("Completed: 4 documents")
    assert cli.finish(terminal)[0] == 0


def test_a_question_is_kept_for_later(cli, serving):
    terminal = cli.terminal("run", cli.brief, "--project", "cakes")
    terminal.expect("> ")
    terminal.sendline("1")
    terminal.expect(r"\[2/2\]")
    terminal.expect("> ")
    terminal.sendintr()
    terminal.expect("The execution is waiting for answers.")
    terminal.expect("combine answer ([0-9a-f]{8})")
    execution = terminal.match[1]
    assert cli.finish(terminal)[0] == 1
    answered = cli("answer", execution, "--no-questions", "--json")
    assert answered.code == 0, answered.err
    assert [one["decided_by"] for one in answered.json["questions"]] == ["person", "default"]

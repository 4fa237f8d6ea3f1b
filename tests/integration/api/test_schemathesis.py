"""The server against its own document, with schemathesis: every route and check, valid and invalid requests.

``SCHEMATHESIS_EXAMPLES=150`` (``make fuzz``) looks longer, ``SCHEMATHESIS_SEED=1`` elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from api_server import api_server, new_database
from api_world import World
from ledger import unknown_call

FAKES = Path(__file__).parents[2] / "fakes"
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "3"))
SEED = os.environ.get("SCHEMATHESIS_SEED")
MANY = 6
"""Several of each kind, so that one request can end what another one still needs."""

pytestmark = pytest.mark.timeout(120 if EXAMPLES < 10 else 3600)


@pytest.fixture
def server(shared_server_url):
    with (
        new_database(shared_server_url) as url,
        api_server(url, llm_default_model="offline") as running,
        impatient(running),
    ):
        yield running


@contextmanager
def impatient(server):
    """Cut the streams of executions that do not end, when their reader is seen for the second time."""

    async def look():
        feed, seen = server.serving.feed, set()
        while True:
            here = {reader for watch in feed._watches.values() for reader in watch.readers}
            for reader in here & seen:
                reader.cut()
            seen = here
            await asyncio.sleep(0.05)

    async def begin():
        return asyncio.create_task(look())

    async def end():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    task = server.do(begin())
    yield
    server.do(end())


def furnish(world, person):
    """Existing things that requests may name; parameter -> values."""
    mine = world.project("mine", {person.id: "owner"})
    ours = world.project("ours", {person.id: "editor"})
    theirs = world.project("theirs", {world.person().id: "owner"})
    done = world.completed(ours)
    member = world.person()
    world.member(mine, member.id, "viewer")
    makers = (world.asking, world.at_a_gate, world.undecided, world.failed, world.queued)
    own = world.completed(mine)
    executions = [done, own, *(make(ours) for _ in range(MANY) for make in makers), world.completed(theirs)]
    database, do = world.server.serving.database, world.server.do
    rows = world.sql("SELECT id FROM documents WHERE project_id = ANY(:ids) ORDER BY created_at", ids=[ours, theirs])
    return {
        "path.project_id": [mine, ours, theirs],
        "path.execution_id": executions,
        "path.call_id": [do(unknown_call(database, execution_id)) for execution_id in (own, own, done)],
        "path.document_id": [*(row.id for row in rows), "requirements-doc", "brief"],
        "path.user_id": [member.id, person.id],
        "path.invitation_id": [
            *(world.invitation(mine, f"{world.fresh('guest')}@example.org") for _ in range(MANY)),
            *(world.invitation(world.project(), person.email) for _ in range(MANY)),
        ],
        "path.identity_id": [world.identity(person.id, f"{world.fresh('alias')}@example.org") for _ in range(MANY)],
        "path.session_id": [world.session(person.id)[0] for _ in range(MANY)],
        "path.token_id": [world.token(person.id)[0] for _ in range(MANY)],
        "path.workflow_id": ["strategy-document"],
        "path.document_type": ["requirements-doc", "project-discovery"],
        "query.project": [mine, ours, theirs, world.project_name(ours)],
        "body.project_id": [mine, ours, theirs],
        "body.workflow_id": ["strategy-document"],
        "body.step_id": ["discovery", "review"],
        "body.from_step": ["review", "requirements"],
        "body.model": ["offline", "claude-sonnet-5-5", "openai:nobody-knows"],
        "body.email": ["ada@example.org", person.email],
    }


def configuration(values):
    """The settings of the run, as TOML."""
    lines = [
        'hooks = "schemathesis_hooks"',
        "max-stream-events = 20",
        "continue-on-failure = true",
        "request-timeout = 20",
        *([f"seed = {SEED}"] if SEED else []),
        "[generation]",
        f"deterministic = {'false' if SEED else 'true'}",
        f"max-examples = {EXAMPLES}",
        "allow-x00 = false",  # never storable; see test_api_bodies.py
        "allow-extra-parameters = false",  # it treats extra headers as an error
        'database = "none"',
        "[checks.positive_data_acceptance]",
        'expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 422, 429]',  # 422: see schemathesis_hooks
        "[checks.negative_data_rejection]",
        "expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 414, 415, 422, 428, 429, 431]",
        "[warnings]",
        "enabled = false",
    ]
    for name, given in values.items():
        lines += [f'[dictionaries."{name}"]', f"values = {json.dumps([str(value) for value in given])}"]
    lines.append("[parameters]")
    lines += [f'"{name}" = {{ dictionary = "{name}", probability = 0.75 }}' for name in values]
    return "\n".join(lines)


def run(server, tmp_path, config, *more):
    (tmp_path / "schemathesis.toml").write_text(config, encoding="utf-8")
    script = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", "schemathesis.toml", "run"]
    return subprocess.run(
        [*script, f"{server.url}/api/v1/openapi.json", "--checks", "all", *more],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(FAKES), "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("who", ["editor", "anonymous"])
def test_the_server_matches_its_document(server, tmp_path, who):
    world = World(server)
    person = world.person(who)
    config = configuration(furnish(world, person) if who == "editor" else {})
    more = ["-H", f"Authorization: Bearer {person.token}"] if who == "editor" else []
    found = run(server, tmp_path, config, *more)
    assert found.returncode == 0, "\n".join(line[:600] for line in (found.stdout + found.stderr).splitlines())

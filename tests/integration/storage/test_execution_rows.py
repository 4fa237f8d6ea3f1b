import asyncio
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from combine.documents.findings import Finding, FindingKind, Severity
from combine.documents.questions import Answer, AnswerType, Question
from combine.documents.statuses import DecidedBy, DecisionAction, GroupBy
from combine.errors import Conflict, Invalid, NotFound
from combine.storage.calls import Calls
from combine.storage.core.tables import blobs, llm_calls
from combine.storage.core.visibility import EVERYTHING
from combine.storage.decisions import Decisions
from combine.storage.executions import Executions
from combine.storage.executors import Executors
from combine.storage.findings import Findings
from combine.storage.projects import Projects
from combine.storage.questions import Questions
from combine.storage.snapshot import Depth, Snapshots
from combine.storage.steps import Steps


async def test_a_project_is_made_once(stored):
    ids = [uuid4() for _ in range(5)]
    made = await asyncio.gather(*(stored.write(Projects, "insert", one, "New") for one in ids))
    (project_id,) = [one for one, its_own in zip(ids, made, strict=True) if its_own]
    assert await stored.write(Projects, "insert", project_id, "New")
    assert (await stored.read(Projects, "get", project_id)).name == "New"
    assert [one.name for one in await stored.read(Projects, "sums", EVERYTHING)] == ["New", "Shop"]
    with pytest.raises(NotFound):
        await stored.read(Projects, "by_name", "Unknown", EVERYTHING)


async def test_an_execution_changes_its_status(stored):
    set_status = (Executions, "set_status", stored.execution_id)
    await stored.write(*set_status, "failed", reason="it broke", reason_code="broken")
    failed = await stored.read(Executions, "get", stored.execution_id)
    assert (failed.status, failed.reason, failed.reason_code) == ("failed", "it broke", "broken")
    assert failed.finished_at >= failed.created_at
    assert await stored.write(Executions, "next_round", stored.execution_id) == 2
    await stored.write(Executions, "set_budget", stored.execution_id, Decimal("1.5"))
    await stored.write(*set_status, "running")
    running = await stored.write(Executions, "lock", stored.execution_id)
    assert (running.status, running.reason, running.finished_at) == ("running", None, None)
    assert (running.round, running.budget_usd) == (2, Decimal("1.5"))
    with pytest.raises(NotFound):
        await stored.write(Executions, "set_status", uuid4(), "running")


async def test_a_locked_execution_makes_others_wait(stored):
    order = []

    async def first(session):
        await Executions(session).lock(stored.execution_id)
        second = asyncio.create_task(stored.write(Executions, "next_round", stored.execution_id))
        await asyncio.wait({second}, timeout=0.1)
        order.append(second.done())
        return second

    assert await (await stored.database.transact(first)) == 2
    assert order == [False]


@pytest.mark.parametrize("text", ["abcd0001", "ABCD0001", "abcd0001-0000", "abcd0001-0000-4000-8000-000000000000"])
async def test_an_execution_is_found_by_the_beginning_of_its_id(stored, new_execution, text):
    for number in (1, 2):
        id_ = UUID(f"abcd000{number}-0000-4000-8000-000000000000")
        await stored.write(Executions, "insert", new_execution(stored.project_id, stored.brief_id, id=id_))
    assert str((await stored.read(Executions, "find_by_prefix", text, EVERYTHING)).id).startswith("abcd0001")
    for given, error in {
        "abcd": Conflict,
        "abc": Invalid,
        "ffff0": NotFound,
        "xyz!": NotFound,
        text + "ff" * 16: NotFound,
    }.items():
        with pytest.raises(error):
            await stored.read(Executions, "find_by_prefix", given, EVERYTHING)


async def test_executions_are_listed_page_by_page_the_newest_first(stored):
    ids = [stored.execution_id, *[await stored.another_execution() for _ in range(4)]]
    await stored.write(Executions, "set_status", ids[2], "completed")
    pages, last = [], None
    while page := await stored.read(Executions, "list", EVERYTHING, limit=2, before=last):
        pages.append([row.id for row in page])
        last = (page[-1].created_at, page[-1].id)
    assert [len(page) for page in pages] == [2, 2, 2]
    assert [one for page in pages for one in page][:5] == ids[::-1]  # the last one brought the brief
    assert [row.id for row in await stored.read(Executions, "list", EVERYTHING, statuses=["completed", "failed"])] == [
        ids[2]
    ]
    assert await stored.read(Executions, "list", EVERYTHING, project_id=uuid4()) == ()


async def test_steps_keep_their_order_and_change(stored):
    await stored.write(Steps, "update", stored.execution_id, "review", status="running", attempt=1, guidance="shorter")
    rows = await stored.read(Steps, "list", stored.execution_id)
    assert [(row.step_id, row.status, row.attempt) for row in rows] == [
        ("discovery", "pending", 0),
        ("requirements", "pending", 0),
        ("architecture", "pending", 0),
        ("review", "running", 1),
    ]
    with pytest.raises(NotFound):
        await stored.write(Steps, "update", stored.execution_id, "unknown", status="running")


def _call(stored, step_id="discovery", *, attempt=1, **changes):
    given = {"purpose": "draft", "provider": "anthropic", "model": "m", "state": "replied", "prompt_sha256": "p"}
    place = {"id": uuid4(), "execution_id": stored.execution_id, "step_id": step_id, "revision": 0, "attempt": attempt}
    return sa.insert(llm_calls).values(**(place | given | changes))


async def _insert_calls(stored, *statements):
    async def work(session):
        for statement in statements:
            await session.connection.execute(statement)

    await stored.database.transact(work)


def _finding(code):
    return Finding(FindingKind.MECHANICAL, Severity.MAJOR, code, "requirements-doc", "Wrong.", item="FR-001")


async def test_only_the_last_answer_of_a_step_has_open_findings(stored):
    insert = (Findings, "insert_many", stored.execution_id)
    for _ in range(2):  # again after an unknown outcome: the same
        await stored.write(*insert, "discovery", 0, 1, [_finding("a"), _finding("b")])
    await stored.write(*insert, "discovery", 0, 2, [_finding("c")])
    await stored.write(*insert, "requirements", 0, 1, [_finding("d")])
    await stored.write(*insert, "requirements", 0, 2, [])
    await _insert_calls(
        stored,
        _call(stored, "discovery", attempt=1),
        _call(stored, "discovery", attempt=2),
        _call(stored, "discovery", attempt=3, state="intent"),
        _call(stored, "requirements", attempt=1),
        _call(stored, "requirements", attempt=2),
    )
    async with stored.database.read() as session:
        whole = await Snapshots(session).find(str(stored.execution_id), EVERYTHING, Depth.OVERVIEW)
    everything = whole.findings
    assert [row.code for row in everything] == ["a", "b", "c", "d"]
    assert (everything[0].step_id, everything[0].attempt, everything[0].item) == ("discovery", 1, "FR-001")
    assert await stored.read(Findings, "of_step", stored.execution_id, "discovery") == everything[:3]
    assert [row.code for row in whole.open_findings] == ["c"]
    assert [(row.step_id, row.attempt) for row in whole.calls if row.state == "intent"] == [("discovery", 3)]


async def test_an_overview_reads_neither_the_brief_nor_contents(stored):
    await stored.save(stored.document(step_id="requirements"))
    async with stored.database.read() as session:
        overview = await Snapshots(session).find(str(stored.execution_id), EVERYTHING, Depth.OVERVIEW)
        whole = await Snapshots(session).read(stored.execution_id, Depth.SEGMENT)
    assert (whole.brief.text != "", [one.content for one in whole.documents]) == (True, [{"n": 1}])
    assert (overview.brief.text, [one.content for one in overview.documents]) == ("", [{}])


async def test_a_reply_that_comes_between_the_two_statements_is_read_with_its_facts_or_not_at_all(stored):
    early, late = uuid4(), uuid4()
    await _insert_calls(
        stored,
        sa.insert(blobs).values([{"sha256": "early", "body": b"{}"}, {"sha256": "late", "body": b'{"cut'}]),
        _call(stored, id=early, reply_sha256="early", stop_reason="end_turn"),
        _call(stored, "review", id=late, state="outcome_unknown"),
    )

    class Meanwhile(Snapshots):
        async def _rows(self, *args):
            rows = await super()._rows(*args)
            facts = {"state": "replied", "reply_sha256": "late", "stop_reason": "max_tokens"}
            await _insert_calls(stored, sa.update(llm_calls).where(llm_calls.c.id == late).values(facts))
            return rows

    async with stored.database.read() as session:
        before = await Meanwhile(session).read(stored.execution_id, Depth.SEGMENT)
        after = await Snapshots(session).read(stored.execution_id, Depth.SEGMENT)
    assert {(one.id, one.reply, one.stop_reason) for one in before.calls} == {
        (early, "{}", "end_turn"),
        (late, None, None),
    }
    assert {one.stop_reason for one in after.calls if one.reply == '{"cut'} == {"max_tokens"}


async def test_questions_are_numbered_over_the_execution_and_settled_once(stored):
    def ask(*texts):
        return [Question(text, "why", AnswerType.SINGLE_CHOICE, "a", choices=("a", "b")) for text in texts]

    insert = (Questions, "insert_many", stored.execution_id)
    await asyncio.gather(
        stored.write(*insert, "discovery", 1, ask("one?", "two?")),
        stored.write(*insert, "requirements", 1, ask("three?")),
    )
    await stored.write(*insert, "discovery", 1, ask("one?", "two?"))
    rows = await stored.read(Questions, "list", stored.execution_id)
    assert [row.id for row in rows] == ["Q-1", "Q-2", "Q-3"]
    assert rows[0].choices == ("a", "b")

    answer = (Questions, "answer", stored.execution_id)
    assert await stored.write(*answer, 1, "b", DecidedBy.PERSON) is True
    assert await stored.write(*answer, 1, "a", DecidedBy.PERSON) is False
    assert await stored.write(*answer, 9, "a", DecidedBy.PERSON) is False
    assert [row.number for row in await stored.read(Questions, "open_questions", stored.execution_id)] == [2, 3]
    first = (await stored.read(Questions, "list", stored.execution_id))[0]
    assert first.settled == Answer("Q-1", first.text, "b", DecidedBy.PERSON)


async def test_decisions_are_kept_in_order(stored):
    for action in (DecisionAction.REJECT, DecisionAction.ACCEPT):
        await stored.write(Decisions, "insert", stored.execution_id, action, step_id="discovery", reason="because")
    async with stored.database.read() as session:
        rows = await session.connection.execute(sa.text("SELECT action, step_id, reason FROM decisions ORDER BY id"))
    assert [tuple(row) for row in rows] == [
        ("reject", "discovery", "because"),
        ("accept", "discovery", "because"),
    ]


async def test_costs_keep_apart_what_is_not_known(stored):
    usd = Decimal
    await _insert_calls(
        stored,
        _call(stored, cost_usd=usd("0.25"), input_tokens=100, output_tokens=10, cache_read_tokens=5),
        _call(stored, "review", cost_usd=usd("0.5"), input_tokens=200, output_tokens=20, cache_write_tokens=7),
        _call(stored, "review", model="unpriced", input_tokens=300),
        _call(stored, "review", state="outcome_unknown", reserved_usd=usd("0.125")),
        _call(stored, "review", state="intent", reserved_usd=usd(1)),
        _call(stored, "review", state="failed", cost_usd=usd(0)),
        _call(stored, "review", provider="offline", model="offline", cost_usd=usd(0)),
    )
    (sums,) = await stored.read(Calls, "groups", GroupBy.DAY, EVERYTHING, project_id=stored.project_id)
    assert (sums.calls, sums.failed, sums.outcome_unknown, sums.unpriced) == (7, 1, 1, 1)
    assert (sums.cost_usd, sums.reserved_usd, sums.outcome_unknown_usd) == (usd("0.75"), usd(1), usd("0.125"))
    assert (sums.input_tokens, sums.output_tokens, sums.cache_read_tokens, sums.cache_write_tokens) == (600, 30, 5, 7)
    async with stored.database.read() as session:
        calls = (await Snapshots(session).read(stored.execution_id, Depth.OVERVIEW)).calls
    assert len(calls) == 7

    keys = {by: [group.key for group in await stored.read(Calls, "groups", by, EVERYTHING)] for by in GroupBy}
    assert keys[GroupBy.MODEL] == ["anthropic:m", "anthropic:unpriced", "offline"]
    assert keys[GroupBy.STEP] == ["strategy-document/discovery", "strategy-document/review"]
    assert keys[GroupBy.WORKFLOW] == ["strategy-document"]
    assert keys[GroupBy.PROJECT] == ["Shop"]
    assert keys[GroupBy.EXECUTION] == [str(stored.execution_id)]
    begun = calls[0].started_at
    assert sums.key == begun.astimezone().strftime("%Y-%m-%d") or sums.key == str(begun.date())
    later = begun + timedelta(days=1)
    assert await stored.read(Calls, "groups", GroupBy.DAY, EVERYTHING, since=later) == ()
    assert await stored.read(Calls, "groups", GroupBy.DAY, EVERYTHING, until=begun) == ()


async def test_executors_are_alive_as_long_as_they_beat(stored):
    for name in ("a", "b"):
        await stored.write(Executors, "register", name, kind="cli", queue="q", host="h", pid=1, version="1")
    rows = await stored.read(Executors, "list")
    assert [row.id for row in rows] == ["b", "a"]
    assert timedelta(0) <= rows[0].age < timedelta(seconds=30)
    await stored.write(Executors, "remove", "b")
    assert await stored.write(Executors, "beat", "a") is True
    assert await stored.write(Executors, "beat", "b") is False

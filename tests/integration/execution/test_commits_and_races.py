"""Between the commits: a cancel while a reply is stored, commits whose answer was lost, steps beside each other."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import bakery
import pytest
import sqlalchemy as sa
from house import HandSegment
from side_by_side import review_without_architecture, side_by_side
from stored import a_document

from combine.execution.context import DocumentSaved, QuestionsAsked, SentBack
from combine.execution.kept_replies import KeptReplies
from combine.execution.runner import ExecutionRunner
from combine.execution.step_journal import StepJournal
from combine.execution.telemetry import Telemetry
from combine.records import Document
from combine.storage.hot.claim import Claim
from combine.storage.hot.segments import Segments
from combine.workflows.catalog import load_catalog
from combine.workflows.definitions import definition_from_json, definition_to_json

ALWAYS = Claim("SELECT 1", {})
"""A claim that nobody takes over."""

ANSWERED = {"answers": {"Q-1": "Offer the next free day."}}


async def until(condition):
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.01)


def somebody_waits_for_a_lock(house):
    async def waits() -> bool:
        async with house.database.read() as session:
            query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            return (await session.connection.execute(sa.text(query))).first() is not None

    return waits


async def test_a_cancelled_step_still_stores_the_reply_that_has_come(house):
    execution = await house.start()
    execution_id, round_ = house.queue.pop(0)
    blocker = await house.database.engine.connect()
    complete = house.llm.complete

    async def reply_while_the_row_is_locked(request, on_progress=None):
        await blocker.exec_driver_sql("BEGIN")
        await blocker.execute(sa.text("SELECT 1 FROM executions FOR UPDATE"))
        return await complete(request, on_progress)

    house.llm.complete = reply_while_the_row_is_locked
    running = asyncio.create_task(house.runner.run(HandSegment(house, execution_id, round_)))
    await until(somebody_waits_for_a_lock(house))
    running.cancel()
    await asyncio.sleep(0)
    await blocker.rollback()
    await blocker.close()
    await asyncio.gather(running, return_exceptions=True)
    assert [call.state for call in await house.calls(execution)] == ["replied"]


@dataclass
class Context:
    """As much of a context as the journal reads of a step that is not final."""

    execution_id: UUID
    document_id: None = None


def version_of(row) -> Document:
    return a_document(row.project_id, row.id, "project-discovery", {"overview": "A bakery."})


@pytest.fixture
async def saving(house):
    """A step that saves: (its journal, its definition, its context, its execution's row)."""
    execution = await house.start()
    row = await house.row(execution)
    journal = StepJournal(house.database, HandSegment(house, row.id, 1), KeptReplies(house.database, None))
    return journal, row.workflow.step("discovery"), Context(row.id), row


async def test_a_save_whose_answer_was_lost_says_the_same_version_again(house, saving):
    journal, step, context, row = saving
    version = version_of(row)
    first = await journal.save_document(step, context, version)
    again = await journal.save_document(step, context, version)
    assert isinstance(first, DocumentSaved)
    assert again == first
    assert first.document.version == 1
    assert len(await house.versions(row.id)) == 1


async def test_a_document_of_a_revision_that_is_over_is_not_saved(house, saving):
    journal, step, context, row = saving

    async def send_back(session):
        await session.connection.execute(sa.text("UPDATE steps SET revision = 1 WHERE step_id = 'discovery'"))

    await house.database.transact(send_back)
    assert isinstance(await journal.save_document(step, context, version_of(row)), SentBack)
    assert await house.versions(row.id) == []
    assert (await house.steps(row.id))["discovery"].status == "pending"


async def test_two_executions_that_end_at_once_leave_one_active_version_of_each_type(house):
    house.says(
        bakery.script(
            project_discovery=[bakery.reply(bakery.document("project-discovery"))],
            requirements_doc=[bakery.reply(bakery.unasked_requirements())],
        )
    )
    first = await house.start()
    await house.run()
    second = await house.start()
    assert (await house.run()).status == "completed"

    async def both_are_drafts(session):
        await session.connection.execute(sa.text("UPDATE documents SET status = 'draft' WHERE type <> 'brief'"))

    await house.database.transact(both_are_drafts)
    other: list[asyncio.Task] = []

    async def activate(session, execution):
        segments = Segments(session)
        await segments.hold(ALWAYS, UUID(execution))
        assert await segments.complete(UUID(execution))

    async def activate_first(session):
        await activate(session, first)
        other.append(asyncio.create_task(house.database.transact(lambda session: activate(session, second))))
        waits = somebody_waits_for_a_lock(house)

        async def done_or_waiting() -> bool:
            return other[0].done() or await waits()

        await until(done_or_waiting)

    await house.database.transact(activate_first)
    await other[0]
    active = [v for e in (first, second) for v in await house.versions(e) if v[2] == "active"]
    assert sorted(type_ for type_, _, _ in active) == sorted(bakery.TYPES)


async def test_a_step_that_is_sent_back_while_it_runs_begins_anew(house):
    house.catalog = side_by_side(load_catalog(None))
    house.says(
        bakery.script(strategy_review=[review_without_architecture(rejecting=True), review_without_architecture()])
    )
    complete = house.llm.complete
    sent_back = asyncio.Event()

    async def the_first_architecture_is_late(request, on_progress=None):
        reply = await complete(request, on_progress)
        asked = [one.schema_name for one in house.llm.seen]
        if asked.count("requirements-doc") == 2:
            sent_back.set()
        if request.schema_name == "architecture-doc" and asked.count("architecture-doc") == 1:
            await sent_back.wait()
        return reply

    house.llm.complete = the_first_architecture_is_late
    execution = await house.start(**ANSWERED)
    row = await house.run()
    assert (row.status, row.reason, row.revision) == ("completed", None, 1)
    calls = [(c.revision, c.state) for c in await house.calls(execution) if c.step_id == "architecture"]
    assert calls == [(0, "outcome_unknown"), (1, "replied")]
    assert [v for v in await house.versions(execution) if v[0] == "architecture-doc"] == [
        ("architecture-doc", 1, "active")
    ]


class AnsweredAtOnce(ExecutionRunner):
    """The answer comes, and the segment has read it, before the step that asked has returned."""

    def executor(self, segment):
        real = super().executor(segment)

        class Executor:
            async def execute(self, step, context):
                result = await real.execute(step, context)
                if isinstance(result, QuestionsAsked):
                    await segment.house.service.answer(str(segment.execution_id), {}, decide_rest=True)
                    segment.house.read.clear()
                    segment.wake.set()
                    await segment.house.read.wait()
                return result

        return Executor()


async def test_a_step_whose_answer_was_faster_goes_on_beside_the_others(house):
    raw = definition_to_json(house.catalog.workflow("strategy-document"))
    raw["steps"][1]["inputs"] = []
    workflow = definition_from_json(raw)
    house.catalog = side_by_side(load_catalog(None))
    type(house.catalog).workflow = lambda self, workflow_id: workflow
    complete = house.llm.complete
    went_on, house.read = asyncio.Event(), asyncio.Event()

    async def requirements_wait(request, on_progress=None):
        if request.schema_name == "requirements-doc":
            await went_on.wait()
        reply = await complete(request, on_progress)
        if [one.schema_name for one in house.llm.seen].count("project-discovery") == 2:
            went_on.set()
        return reply

    house.llm.complete = requirements_wait
    execution = await house.start()
    execution_id, round_ = house.queue.pop(0)
    telemetry, replies = Telemetry(house.database), KeptReplies(house.database, None)
    runner = AnsweredAtOnce(
        house.database, house.catalog, house.llm, house.pricing, telemetry, replies, max_output_tokens=1000
    )
    once, reads = house.database.once, []

    async def tell_of_reads(work, **options):
        result = await once(work, **options)
        if "SegmentJournal.read" in work.__qualname__:
            reads.append(result)
            if len(reads) == 2:  # the first is the beginning
                house.read.set()
        return result

    house.database.once = tell_of_reads
    running = asyncio.create_task(runner.run(HandSegment(house, execution_id, round_)))
    await asyncio.wait_for(went_on.wait(), 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [c.attempt for c in await house.calls(execution) if c.step_id == "discovery"] == [1, 2]

"""What comes late: a result of a revision that is over, a reply as its step is cancelled, the answer to a commit."""

import asyncio
import itertools
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

import bakery
import pytest
import sqlalchemy as sa
from cut_line import Cut, cut_line
from house import HandSegment, House
from ledger import a_call
from side_by_side import review_without_architecture, side_by_side
from stored import ANYBODY

from combine.documents.findings import Finding, FindingKind, Severity
from combine.documents.questions import AnswerType, Question
from combine.errors import PermanentLLMError, TransientLLMError
from combine.execution.kept_replies import KeptReplies
from combine.execution.runner import ExecutionRunner
from combine.execution.step_journal import StepJournal
from combine.execution.telemetry import Telemetry
from combine.llm.pricing import UNKNOWN, ModelPrice, Pricing
from combine.services.commands import ForkExecution
from combine.storage.core.database import Database
from combine.storage.hot.caps import Caps
from combine.storage.hot.journal import Journal
from combine.storage.steps import SentBackSince
from combine.workflows.catalog import load_catalog

ANSWERED = {"answers": {"Q-1": "Offer the next free day."}}
PRICED = Pricing({"scripted": ModelPrice(Decimal(100), Decimal(1000))})


def intent_of(row, **changes):
    return a_call(row.id, **({"reserved_usd": Decimal(1)} | changes))


class Undone(Exception):
    """Rolls a transaction back."""


async def test_the_statement_and_the_words_agree_about_every_cap(house):
    """Else a step would ask for room for ever: refused by the one, and told by the other that nothing is in the way."""
    row = await house.row(await house.start(**ANSWERED))
    caps = (None, Decimal(1), Decimal(7), Decimal(100))
    told = {}

    async def both(session, case):
        budget, project, daily, worst, allowed = case
        values = {"b": budget, "p": project, "a": allowed, "id": row.id}
        for query in (
            "UPDATE executions SET budget_usd = :b, allow_unpriced = :a, spent_usd = 5 WHERE id = :id",
            "UPDATE projects SET budget_usd = :p, spent_usd = 5",
            "INSERT INTO daily_spending VALUES (cast(statement_timestamp() AT TIME ZONE 'UTC' AS date), 0, 5)",
        ):
            await session.connection.execute(sa.text(query), values)
        stand = await Caps(session).of(row.id, daily)
        opened = await Journal(session).open_call(ANYBODY, intent_of(row, reserved_usd=worst), daily)
        told[case] = (opened, not any(cap.refuses(worst) for cap in stand))
        raise Undone

    amounts = (None, Decimal(0), Decimal(2), Decimal(3))
    for case in itertools.product(caps, caps, caps, amounts, (False, True)):
        with pytest.raises(Undone):
            await house.database.transact(lambda session, case=case: both(session, case))
    assert {case for case, (opened, free) in told.items() if opened != free} == set()
    assert {opened for opened, _ in told.values()} == {True, False}


class Unknown(Pricing):
    """Knows no price."""

    def price(self, ref, usage):
        return UNKNOWN


async def test_an_unpriced_call_that_is_allowed_leaves_though_more_is_spent_than_the_cap(house):
    house.pricing = Unknown({})
    execution = await house.start(**ANSWERED, budget_usd=Decimal(1), allow_unpriced=True)
    async with house.database.engine.begin() as connection:
        await connection.execute(sa.text("UPDATE executions SET spent_usd = 2"))
    assert (await house.run()).status == "completed"
    assert {call.reserved_usd for call in await house.calls(execution)} == {None}


@dataclass
class Context:
    """As much of a context as the journal reads."""

    execution_id: UUID
    revision: int = 0
    given_answers: dict = field(default_factory=dict)
    ask: bool = True


QUESTION = Question("How many?", "The size.", AnswerType.FREE_TEXT, "Ten.")
FINDING = Finding(FindingKind.MECHANICAL, Severity.MAJOR, "id_form", "project-discovery", "Wrong.", path="$")


WRITES = {
    "findings": lambda journal, row, step: journal.record_findings(
        step, Context(row.id), 3, (FINDING,), last=True, savable=True
    ),
    "questions": lambda journal, row, step: journal.save_questions(step, Context(row.id), 1, 1, (QUESTION,)),
    "a call": lambda journal, row, _: journal.open_call(intent_of(row)),
    "no room": lambda journal, row, _: journal.open_call(intent_of(row, reserved_usd=Decimal(9))),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_nothing_is_written_of_a_revision_that_is_over(house, write):
    row = await house.row(await house.start(budget_usd=Decimal(5)))
    journal = StepJournal(house.database, HandSegment(house, row.id, 1), KeptReplies(house.database, None))
    async with house.database.engine.begin() as connection:
        await connection.execute(sa.text("UPDATE steps SET revision = 1 WHERE step_id = 'discovery'"))
    before = await house.steps(row.id), await house.events(row.id)
    with pytest.raises(SentBackSince):
        await write(journal, row, row.workflow.step("discovery"))
    assert (await house.steps(row.id), await house.events(row.id)) == before
    assert await house.questions(row.id) == await house.findings(row.id) == await house.calls(row.id) == ()


LATE = {
    "findings": (3, None),
    "a refusal": (1, PermanentLLMError("No.", code="llm_auth")),
    "an outage": (1, TransientLLMError("Later.", code="llm_overloaded")),
}


class LateArchitecture:
    """What comes of the architecture's call number ``at`` is written when the review beside it has sent it back.

    And before the segment has heard of that.
    """

    def __init__(self, house, at, error):
        self.at, self.error, self.calls = at, error, 0
        self.reached, self.sent_back, self.written = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.complete, house.llm.complete = house.llm.complete, self.late
        self.transact, house.database.transact = house.database.transact, self.ordered

    async def late(self, request, on_progress=None):
        if request.schema_name == "architecture-doc":
            self.calls += 1
            if self.calls == self.at:
                self.reached.set()
                await self.sent_back.wait()
                if self.error is not None:
                    raise self.error
        if request.schema_name == "strategy-review":
            await self.reached.wait()
        return await self.complete(request, on_progress)

    async def ordered(self, work, **options):
        name = work.__qualname__
        try:
            return await self.transact(work, **options)
        finally:
            if "save_with_consequences" in name and not self.sent_back.is_set():
                self.sent_back.set()
                await self.written.wait()
            elif self.sent_back.is_set() and any(one in name for one in ("findings", "fail_step", "wait_for_provider")):
                self.written.set()


@pytest.mark.parametrize(("at", "error"), LATE.values(), ids=LATE)
async def test_what_comes_of_a_revision_that_is_over_rests_nothing(house, at, error):
    house.catalog = side_by_side(load_catalog(None))
    good = bakery.reply(bakery.document("architecture-doc"))
    house.says(
        bakery.script(
            strategy_review=[review_without_architecture(rejecting=True), review_without_architecture()],
            architecture_doc=[*(at * [bakery.reply({"title": "None."})] if error is None else ()), good],
        )
    )
    late = LateArchitecture(house, at, error)
    execution = await house.start(**ANSWERED)
    row = await house.run()
    assert late.written.is_set()
    assert (row.status, row.reason, row.revision) == ("completed", None, 1)
    calls = [call.revision for call in await house.calls(execution) if call.step_id == "architecture"]
    assert calls == [0] * at + [1]
    assert [v for v in await house.versions(execution) if v[0] == "architecture-doc"] == [
        ("architecture-doc", 1, "active")
    ]


class SlowToEnd(Telemetry):
    """The last event of a call is still being written."""

    def __init__(self, database):
        super().__init__(database)
        self.ending = asyncio.Event()

    @asynccontextmanager
    async def call(self, execution_id, step_id):
        async with super().call(execution_id, step_id) as tell:
            yield tell
            self.ending.set()
            await asyncio.Event().wait()


async def test_a_reply_that_came_whole_is_stored_when_its_step_is_cancelled_behind_it(house):
    execution = await house.start(**ANSWERED)
    telemetry = SlowToEnd(house.database)
    runner = ExecutionRunner(
        house.database,
        house.catalog,
        house.llm,
        house.pricing,
        telemetry,
        KeptReplies(house.database, None),
        max_output_tokens=1000,
    )
    running = asyncio.create_task(runner.run(HandSegment(house, *house.queue.pop(0))))
    await asyncio.wait_for(telemetry.ending.wait(), 20)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    [call] = await house.calls(execution)
    assert (call.state, call.reply_sha256 is not None) == ("replied", True)


async def test_findings_of_a_reply_that_is_read_again_are_told_once(house):
    wrong, right = bakery.reply({"overview": "None."}), bakery.reply(bakery.document("project-discovery"))
    house.says(bakery.script(project_discovery=[bakery.asking(), wrong, right]))
    execution = await house.start(**ANSWERED)
    queued, complete, cut = house.queue.pop(0), house.llm.complete, asyncio.Event()

    async def cut_off_in_the_third(request, on_progress=None):
        if len(house.llm.seen) == 2 and not cut.is_set():
            cut.set()
            await asyncio.Event().wait()
        return await complete(request, on_progress)

    house.llm.complete = cut_off_in_the_third
    first = asyncio.create_task(house.runner.run(HandSegment(house, *queued)))
    await asyncio.wait_for(cut.wait(), 20)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    before = await house.findings_of(execution, "discovery")
    house.queue.append(queued)
    assert (await house.run()).status == "completed"
    told = [event for event in await house.events(execution) if event.kind == "findings_found"]
    assert [event.data["attempt"] for event in told if event.step_id == "discovery"] == [2]
    assert await house.findings_of(execution, "discovery") == before


@pytest.fixture
async def distant(database_url, catalog):
    """A house whose database is reached by a line that breaks: (house, line)."""
    async with cut_line(database_url) as line:
        house = House(Database(line.url), catalog)
        yield house, line
        await house.database.close()


def kinds(events):
    return [event.kind for event in events]


@pytest.mark.parametrize("cut", Cut)
async def test_answers_whose_commit_gave_no_answer_are_taken(distant, cut):
    house, line = distant
    execution = await house.start()
    await house.run()
    line.cuts.append(cut)
    await house.service.answer(execution, {"Q-1": "Offer the next free day."})
    assert line.cuts == []
    assert kinds(await house.events(execution)).count("answered") == 1
    assert (await house.run()).status == "completed"


@pytest.mark.parametrize("cut", Cut)
async def test_a_resume_whose_commit_gave_no_answer_is_made_and_told_once(distant, cut):
    house, line = distant
    house.pricing = PRICED
    execution = await house.start(**ANSWERED, budget_usd=Decimal("0.01"))
    assert (await house.run()).status == "waiting_for_budget"
    async with house.database.engine.begin() as connection:  # as if by the project's cap, which needs no new budget
        await connection.execute(sa.text("UPDATE executions SET budget_usd = NULL, reason_code = NULL"))
    line.cuts.append(cut)
    await house.service.resume(execution)
    assert line.cuts == []
    assert kinds(await house.events(execution)).count("resumed") == 1
    assert (await house.run()).status == "completed"


@pytest.mark.parametrize("cut", Cut)
async def test_a_fork_whose_commit_gave_no_answer_is_told_once(distant, cut):
    house, line = distant
    source = await house.start(**ANSWERED)
    await house.run()
    line.cuts.append(cut)
    fork = await house.service.fork(source, ForkExecution("architecture"))
    assert line.cuts == []
    assert kinds(await house.events(fork)) == ["forked_from", "execution_queued"]
    assert (await house.run()).status == "completed"

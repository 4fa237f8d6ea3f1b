"""Starting executions and what people do to them. One public method is one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID, uuid4

from combine.engine.engine import Adoption, Engine
from combine.errors import Conflict, Invalid
from combine.execution.budgets import CODES, PRICE_UNKNOWN, named
from combine.execution.clarification import settle, unknown_names
from combine.execution.review_loop import plan_after_review
from combine.execution.step_journal import NO_VALID_DOCUMENT, REMEDIATIONS_USED_UP
from combine.llm.models import ModelRef, parse_model
from combine.llm.pricing import Pricing
from combine.llm.protocol import Usage
from combine.services.forks import ForkExecution, answers_for, check_fork, store_fork
from combine.storage.caps import CapKind
from combine.storage.database import Database, WriteSession
from combine.storage.decisions import Decisions
from combine.storage.documents import Documents
from combine.storage.events import Events
from combine.storage.executions import ExecutionRow, Executions, NewExecution
from combine.storage.journal import Journal
from combine.storage.outages import Outages
from combine.storage.projects import Projects
from combine.storage.questions import Questions
from combine.storage.starting import Start, store_start
from combine.storage.steps import StepRow, Steps
from combine.storage.transitions import Transitions
from combine.workflows.brief import Brief
from combine.workflows.brief_json import brief_to_json
from combine.workflows.catalog import Catalog
from combine.workflows.definition_json import definition_from_json, definition_to_json
from combine.workflows.definitions import WorkflowDefinition
from combine.workflows.graph import topological_order
from combine.workflows.questions import Question
from combine.workflows.statuses import ENDED, DecisionAction, ExecutionStatus, StepStatus

MAX_PROJECT_NAME = 120
_UNDER_WAY = frozenset({ExecutionStatus.QUEUED, ExecutionStatus.RUNNING})
_OVER = ENDED - {ExecutionStatus.FAILED}
_UNSAVED_OUTPUT = frozenset({NO_VALID_DOCUMENT, REMEDIATIONS_USED_UP})
"""Why a step waits for a decision about an output that is not its document (it may have one from before)."""
_STOPPED = frozenset({ExecutionStatus.FAILED, ExecutionStatus.WAITING_FOR_PROVIDER, ExecutionStatus.WAITING_FOR_BUDGET})


@dataclass(frozen=True, slots=True)
class StartExecution:
    """What it takes to start one."""

    brief: Brief
    workflow_id: str
    project: str
    model: str
    """``PROVIDER:MODEL`` as a person writes it."""
    ask: bool = True
    answers: Mapping[str, str] = field(default_factory=dict)
    """Answers given in advance, by question id or text."""
    budget_usd: Decimal | None = None
    allow_unpriced: bool = False
    """Run models of unknown price although a cap applies; nothing is reserved for their calls."""


class ExecutionService:
    """Writes. Whatever makes an execution go on enqueues its next segment in the same commit."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        engine: Engine,
        pricing: Pricing,
        *,
        daily_budget_usd: Decimal | None = None,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._engine = engine
        self._pricing = pricing
        self._daily_budget_usd = daily_budget_usd

    async def start(self, command: StartExecution) -> UUID:
        """Store brief and execution and enqueue the first segment; its id.

        Raises NotFound for an unknown workflow, Invalid for an unknown model, a budget of nothing, or a model whose
        price nobody knows where a cap of any kind applies, unless that is allowed.
        """
        workflow = self._catalog.workflow(command.workflow_id)
        project_name = _project_name(command.project)
        _check_budget(command.budget_usd)
        unpriced = self._unpriced(command.model, workflow)
        model, _ = parse_model(command.model)
        start = Start(
            execution_id=uuid4(),
            project_id=uuid4(),
            project=project_name,
            brief_id=uuid4(),
            brief=brief_to_json(command.brief),
            workflow_id=workflow.workflow_id,
            workflow_version=workflow.version,
            definition=definition_to_json(workflow),
            step_ids=[step.step_id for step in topological_order(workflow)],
            model=str(model),
            ask=command.ask,
            given_answers=command.answers,
            budget_usd=command.budget_usd,
            allow_unpriced=command.allow_unpriced,
        )

        async def work(session: WriteSession) -> UUID:
            if unpriced and not command.allow_unpriced:
                self._refuse_under_a_cap(
                    unpriced, command.budget_usd, project_name, await Projects(session).budget(project_name)
                )
            await store_start(session, start)
            if command.allow_unpriced:
                await _say_unpriced(session, start.execution_id, unpriced)
            await self._engine.enqueue(session, start.execution_id, 1)
            return start.execution_id

        return await self._database.transact(work)

    async def answer(self, execution: str, given: Mapping[str, str], *, decide_rest: bool = False) -> UUID:
        """Settle open questions. Raises Conflict if none is open, Invalid for an answer that cannot be used.

        ``given`` maps question ids or texts to answers; with ``decide_rest`` the defaults settle the others.
        """

        async def work(session: WriteSession) -> UUID:
            row = await _lock_open(session, execution)
            questions = [open_.question for open_ in await Questions(session).open_questions(row.id)]
            _must_be_open(row, questions, given)
            used = await Documents(session).used_ids(row.project_id, "")
            settled = settle(questions, given, decide_rest=decide_rest, next_assumption=used.get("ASM", 0) + 1)
            for one in settled:
                await Questions(session).answer(
                    row.id, one.number, one.text, one.decided_by, assumption_id=one.assumption_id
                )
            if await Transitions(session).release_answered_steps(row.id):
                await self._go_on(session, row, ExecutionStatus.WAITING_FOR_ANSWERS)
            ids = [one.question.id for one in settled]
            await Events(session).append(row.id, "answered", data={"questions": ids})
            return row.id

        return await self._database.transact(work)

    async def accept(self, execution: str, step_id: str | None = None) -> UUID:
        """Accept the document a step waits with. Raises Conflict if none waits, or several and none is named."""

        async def work(session: WriteSession) -> UUID:
            row = await _lock_open(session, execution)
            step = await _gate(session, row, step_id)
            await Steps(session).update(
                row.id, step.step_id, status=StepStatus.DONE, accepted=True, reason=None, guidance=None
            )
            await Decisions(session).insert(
                row.id, DecisionAction.ACCEPT, step_id=step.step_id, document_id=step.document_id
            )
            await self._go_on(session, row, ExecutionStatus.WAITING_FOR_ACCEPTANCE)
            await Events(session).append(row.id, "accepted", step.step_id)
            return row.id

        return await self._database.transact(work)

    async def reject(self, execution: str, reason: str, step_id: str | None = None) -> UUID:
        """Send the waiting document back with a reason, which becomes an input of the next attempt."""
        words = _words(reason, "A reason is needed to send a document back.")

        async def work(session: WriteSession) -> UUID:
            row = await _lock_open(session, execution)
            step = await _gate(session, row, step_id)
            await Decisions(session).insert(
                row.id, DecisionAction.REJECT, step_id=step.step_id, reason=words, document_id=step.document_id
            )
            await Transitions(session).send_back(row.id, [step.step_id], {step.step_id: words})
            await self._go_on(session, row, ExecutionStatus.WAITING_FOR_ACCEPTANCE)
            await Events(session).append(row.id, "sent_back", step.step_id, {"reason": words})
            return row.id

        return await self._database.transact(work)

    async def decide(self, execution: str, action: DecisionAction, guidance: str | None = None) -> UUID:
        """A person's word where a QA limit was reached: accept anyway, try again with guidance, or cancel."""
        if action is DecisionAction.CANCEL:
            return await self.cancel(execution)
        if action is DecisionAction.TRY_AGAIN:
            guidance = _words(guidance, "Trying again needs guidance, or the same would come out.")

        async def work(session: WriteSession) -> UUID:
            row = await _lock_open(session, execution)
            steps = await Steps(session).list(row.id)
            waiting = [step for step in steps if step.status == StepStatus.WAITING_FOR_DECISION]
            if not waiting:
                raise Conflict(
                    f"Execution {row.id} waits for no decision; it is {row.status}.",
                    code="no_decision_wanted",
                    hint=_see(row),
                )
            for step in waiting:
                if action is DecisionAction.TRY_AGAIN:
                    await _try_again(session, row, step, guidance or "")
                else:
                    await _accept_anyway(session, row, step)
                await Decisions(session).insert(
                    row.id, action, step_id=step.step_id, reason=guidance, document_id=step.document_id
                )
            await self._go_on(session, row, ExecutionStatus.WAITING_FOR_DECISION)
            await Events(session).append(row.id, "decided", data={"action": action.value, "guidance": guidance})
            return row.id

        return await self._database.transact(work)

    async def cancel(self, execution: str) -> UUID:
        """End the execution; a call in flight is cut. Raises Conflict if it has ended already."""

        async def work(session: WriteSession) -> UUID:
            # Here, since perhaps no process works on it; the reply of one that does is still stored. Before the lock,
            # as a segment that closes a call takes the call's row first, too.
            found = await Executions(session).find_by_prefix(execution)
            await Journal(session).forget_open_calls(found.id)
            row = await _lock_open(session, execution)
            await Decisions(session).insert(row.id, DecisionAction.CANCEL)
            await Transitions(session).poke(row.id)
            await Transitions(session).finish(row.id, ExecutionStatus.CANCELLED)
            return row.id

        return await self._database.transact(work)

    async def resume(self, execution: str, budget_usd: Decimal | None = None, *, allow_unpriced: bool = False) -> UUID:
        """Go on after a failure, an outage, a budget, or a process that is gone.

        ``budget_usd``: its cap from now on. One that stopped at the cap of its project or of the day goes on without.
        Raises Conflict when a live process works on it, when a person must do something else first, or when it ended.
        """

        async def work(session: WriteSession) -> UUID:
            row = await _lock(session, execution)
            await self._change_money(session, row, budget_usd, allow_unpriced=allow_unpriced)
            if row.status in _UNDER_WAY:
                await self._take_over(session, row)
            elif row.status in _STOPPED:
                if row.reason_code == CODES[CapKind.EXECUTION] and budget_usd is None:
                    raise Conflict(
                        f"Execution {row.id} stopped at its cap of {row.budget_usd} USD.",
                        code="budget_needed",
                        hint=f"Say how much it may cost in all: combine resume {row.id} --budget USD",
                    )
                if row.status == ExecutionStatus.WAITING_FOR_PROVIDER:
                    await Outages(session).try_now(row.id, probe=True)
                await Transitions(session).release_steps(row.id, row.status)
                await self._go_on(session, row, ExecutionStatus(row.status))
            else:
                raise _cannot_resume(row)
            await Events(session).append(row.id, "resumed")
            return row.id

        return await self._database.transact(work)

    async def fork(self, execution: str, command: ForkExecution) -> UUID:
        """Start a new execution that takes over what stands before one step, and enqueue it; its id.

        Same project, brief, workflow and answers. Raises Conflict while the execution is at work, NotFound for an
        unknown step, Invalid as ``start`` does.
        """
        fork_id = uuid4()

        async def work(session: WriteSession) -> UUID:
            source = await _lock(session, execution)
            workflow = check_fork(source, command.from_step)
            model, _ = parse_model(command.model or source.model)
            budget_usd = source.budget_usd if command.budget_usd is None else command.budget_usd
            _check_budget(budget_usd)
            unpriced = self._unpriced(str(model), workflow)
            allowed = command.allow_unpriced or source.allow_unpriced
            if unpriced and not allowed:
                project = await Projects(session).get(source.project_id)
                self._refuse_under_a_cap(unpriced, budget_usd, project.name, project.budget_usd)
            new = NewExecution(
                id=fork_id,
                project_id=source.project_id,
                workflow_id=source.workflow_id,
                workflow_version=source.workflow_version,
                definition=source.definition,
                brief_id=source.brief_id,
                model=str(model),
                ask=source.ask,
                given_answers=await answers_for(session, source),
                budget_usd=budget_usd,
                allow_unpriced=allowed,
                forked_from=source.id,
            )
            await store_fork(session, source, workflow, new, command.from_step)
            if allowed:
                await _say_unpriced(session, fork_id, unpriced)
            await self._engine.enqueue(session, fork_id, 1)
            await Events(session).append(fork_id, "execution_queued", data={"workflow": source.workflow_id})
            return fork_id

        return await self._database.transact(work)

    async def _go_on(self, session: WriteSession, row: ExecutionRow, waited_as: ExecutionStatus) -> None:
        """Enqueue the next segment, or tell the one that still works on other steps."""
        if row.status == waited_as:
            await self._engine.enqueue(session, row.id, await Transitions(session).requeue(row.id))
        else:
            await Transitions(session).poke(row.id)

    async def _take_over(self, session: WriteSession, row: ExecutionRow) -> None:
        adoption = await self._engine.adopt(session, row.id, row.round)
        if adoption is Adoption.BUSY:
            raise Conflict(
                f"Another process works on execution {row.id}.",
                code="already_running",
                hint=f"Follow it with: combine watch {row.id}",
            )
        if adoption is Adoption.ENDED:
            await self._engine.enqueue(session, row.id, await Transitions(session).requeue(row.id))

    async def _change_money(
        self, session: WriteSession, row: ExecutionRow, budget_usd: Decimal | None, *, allow_unpriced: bool
    ) -> None:
        _check_budget(budget_usd)
        unpriced = self._unpriced(row.model, definition_from_json(row.definition))
        if allow_unpriced:
            await Executions(session).allow_unpriced(row.id)
            await _say_unpriced(session, row.id, unpriced)
        elif unpriced and budget_usd is not None and not row.allow_unpriced:
            project = await Projects(session).get(row.project_id)
            self._refuse_under_a_cap(unpriced, budget_usd, project.name, project.budget_usd)
        if budget_usd is not None:
            await Executions(session).set_budget(row.id, budget_usd)

    def _unpriced(self, default_model: str, workflow: WorkflowDefinition) -> tuple[ModelRef, ...]:
        """The models of a workflow whose price nobody knows."""
        names = [step.model or default_model for step in workflow.steps]
        names += [step.fallback_model for step in workflow.steps if step.fallback_model]
        refs = dict.fromkeys(parse_model(name)[0] for name in names)
        return tuple(ref for ref in refs if self._pricing.price(ref, Usage(input_tokens=1)).usd is None)

    def _refuse_under_a_cap(
        self,
        unpriced: tuple[ModelRef, ...],
        budget_usd: Decimal | None,
        project: str,
        project_budget_usd: Decimal | None,
    ) -> None:
        caps = {
            CapKind.EXECUTION: budget_usd,
            CapKind.PROJECT: project_budget_usd,
            CapKind.DAY: self._daily_budget_usd,
        }
        for kind, cap in caps.items():
            if cap is not None:
                ref = unpriced[0]
                raise Invalid(
                    f"The price of {ref} is not known, so {named(kind, project)} cannot be kept.",
                    code=PRICE_UNKNOWN,
                    hint=f'Declare it, e.g. COMBINE_LLM_PRICES=\'{{"{ref.model}": {{"input": 1, "output": 5}}}}\' '
                    "(USD per million tokens), or let it run uncapped with --allow-unpriced.",
                )


def _check_budget(budget_usd: Decimal | None) -> None:
    if budget_usd is not None and budget_usd <= 0:
        raise Invalid("A budget is an amount above 0 USD.", code="budget_invalid")


async def _say_unpriced(session: WriteSession, execution_id: UUID, unpriced: tuple[ModelRef, ...]) -> None:
    if unpriced:
        await Events(session).append(execution_id, "unpriced_allowed", data={"models": [str(ref) for ref in unpriced]})


async def _lock(session: WriteSession, execution: str) -> ExecutionRow:
    executions = Executions(session)
    return await executions.lock((await executions.find_by_prefix(execution)).id)


async def _lock_open(session: WriteSession, execution: str) -> ExecutionRow:
    """The same; raises Conflict if it has ended for good, though a step of it may still say that it waits."""
    row = await _lock(session, execution)
    if row.status in _OVER:
        raise Conflict(f"Execution {row.id} is {row.status} already.", code="already_ended", hint=_see(row))
    return row


def _project_name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > MAX_PROJECT_NAME or not name.isprintable():
        raise Invalid(
            f"{text[:80]!r} cannot name a project: give 1 to {MAX_PROJECT_NAME} printable characters.",
            code="project_name_invalid",
            hint="Name it with --project NAME.",
        )
    return name


def _must_be_open(row: ExecutionRow, questions: list[Question], given: Mapping[str, str]) -> None:
    if not questions:
        raise Conflict(
            f"Execution {row.id} has no open question; it is {row.status}.", code="no_open_question", hint=_see(row)
        )
    if unknown := unknown_names(questions, given):
        raise Invalid(
            f"No open question is called {', '.join(map(repr, unknown))}.",
            code="answer_unknown",
            hint="Open are: " + "; ".join(f"{question.id} {question.text}" for question in questions),
        )


async def _gate(session: WriteSession, row: ExecutionRow, step_id: str | None) -> StepRow:
    steps = await Steps(session).list(row.id)
    waiting = [s for s in steps if s.status == StepStatus.WAITING_FOR_ACCEPTANCE]
    meant = [s for s in waiting if step_id in {None, s.step_id}]
    if len(meant) == 1:
        return meant[0]
    if waiting:
        names = ", ".join(step.step_id for step in waiting)
        told = (
            f"Several steps wait for acceptance: {names}."
            if meant
            else f"Step {step_id!r} does not wait for acceptance."
        )
        hint = "Name one with --step." if meant else f"Waiting: {names}."
        raise Conflict(told, code="step_needed", hint=hint)
    raise Conflict(
        f"Execution {row.id} waits for no acceptance; it is {row.status}.", code="no_acceptance_wanted", hint=_see(row)
    )


async def _try_again(session: WriteSession, row: ExecutionRow, step: StepRow, guidance: str) -> None:
    steps = {step.step_id}
    if step.document_id is not None and step.reason_code not in _UNSAVED_OUTPUT:
        document = await Documents(session).get(step.document_id)
        workflow = definition_from_json(row.definition)
        steps |= plan_after_review(
            document.content, workflow, step.step_id, revisions_done=workflow.max_revisions
        ).steps
    await Transitions(session).send_back(row.id, sorted(steps), dict.fromkeys(steps, guidance))


async def _accept_anyway(session: WriteSession, row: ExecutionRow, step: StepRow) -> None:
    if step.reason_code == NO_VALID_DOCUMENT:
        raise Conflict(
            f"The last output of step {step.step_id} is no valid document, so it cannot be accepted.",
            code="not_acceptable",
            hint=f"Try again with guidance: combine resume {row.id} --decision try-again --guidance TEXT",
        )
    if step.reason_code == REMEDIATIONS_USED_UP:
        await Transitions(session).accept_last_attempt(row.id, step.step_id)
    else:
        await Steps(session).update(row.id, step.step_id, status=StepStatus.DONE, accepted=True, reason=None)


def _words(text: str | None, message: str) -> str:
    words = (text or "").strip()
    if not words:
        raise Invalid(message, code="reason_missing")
    return words


def _see(row: ExecutionRow) -> str:
    return f"See where it stands: combine show {row.id}"


def _cannot_resume(row: ExecutionRow) -> Conflict:
    hints = {
        ExecutionStatus.WAITING_FOR_ANSWERS: f"Answer its questions: combine answer {row.id}",
        ExecutionStatus.WAITING_FOR_ACCEPTANCE: f"combine accept {row.id}, or combine reject {row.id} --reason TEXT",
        ExecutionStatus.WAITING_FOR_DECISION: f"combine resume {row.id} --decision accept-anyway, "
        "try-again --guidance TEXT, or cancel",
        ExecutionStatus.COMPLETED: f"See it: combine show {row.id}",
        ExecutionStatus.CANCELLED: "Start anew: combine run BRIEF",
    }
    status = ExecutionStatus(row.status)
    return Conflict(f"Execution {row.id} is {status}.", code="cannot_resume", hint=hints.get(status))

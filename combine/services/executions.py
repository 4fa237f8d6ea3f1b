"""Starting executions and what people do to them. One public method is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID, uuid4

from combine.engine.engine import Adoption, Engine
from combine.errors import Conflict, Invalid
from combine.execution.clarification import settle, unknown_names
from combine.execution.review_loop import plan_after_review
from combine.llm.models import parse_model
from combine.llm.pricing import Pricing
from combine.llm.protocol import Usage
from combine.storage.database import Database, WriteSession
from combine.storage.decisions import Decisions
from combine.storage.documents import Documents, NewDocument
from combine.storage.events import Events
from combine.storage.executions import ExecutionRow, Executions, NewExecution
from combine.storage.findings import Findings
from combine.storage.projects import Projects
from combine.storage.questions import Questions
from combine.storage.steps import StepRow, Steps
from combine.storage.transitions import Transitions
from combine.workflows.brief import Brief
from combine.workflows.brief_json import brief_to_json
from combine.workflows.catalog import Catalog
from combine.workflows.definition_json import definition_from_json, definition_to_json
from combine.workflows.definitions import WorkflowDefinition
from combine.workflows.graph import topological_order
from combine.workflows.ordering import content_sha256
from combine.workflows.questions import AnswerType, Question
from combine.workflows.statuses import ENDED, DecisionAction, ExecutionStatus, StepStatus

UNSAVABLE_CODES = frozenset({"schema", "reply_not_json", "reply_truncated"})


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


class ExecutionService:
    """Writes. Whatever makes an execution go on enqueues its next segment in the same commit."""

    def __init__(self, database: Database, catalog: Catalog, engine: Engine, pricing: Pricing) -> None:
        self._database = database
        self._catalog = catalog
        self._engine = engine
        self._pricing = pricing

    async def start(self, command: StartExecution) -> UUID:
        """Store brief and execution and enqueue the first segment; its id.

        Raises NotFound for an unknown workflow, Invalid for an unknown model, a budget of nothing, or a budget with a
        model whose price nobody knows.
        """
        workflow = self._catalog.workflow(command.workflow_id)
        self._check_money(command, workflow)
        model, _ = parse_model(command.model)
        execution_id, brief_id = uuid4(), uuid4()
        content = brief_to_json(command.brief)

        async def work(session: WriteSession) -> UUID:
            project = await Projects(session).get_or_create(command.project)
            stored = await store_brief(session, project.id, brief_id, content, content_sha256(content))
            await PersonActions(session).create(
                NewExecution(
                    id=execution_id,
                    project_id=project.id,
                    workflow_id=workflow.workflow_id,
                    workflow_version=workflow.version,
                    definition=definition_to_json(workflow),
                    brief_id=stored,
                    model=str(model),
                    ask=command.ask,
                    given_answers=dict(command.answers),
                    budget_usd=command.budget_usd,
                    step_ids=[step.step_id for step in topological_order(workflow)],
                )
            )
            await self._engine.enqueue(session, execution_id, 1)
            await Outcomes(session).event(execution_id, "execution_queued", data={"workflow": workflow.workflow_id})
            return execution_id

        return await self._database.transact(work)

    async def answer(self, execution: str, given: Mapping[str, str], *, decide_rest: bool = False) -> UUID:
        """Settle open questions. Raises Conflict if none is open, Invalid for an answer that cannot be used.

        ``given`` maps question ids or texts to answers; with ``decide_rest`` the defaults settle the others.
        """

        async def work(session: WriteSession) -> UUID:
            locked = await self._lock(session, execution)
            rows = await Questions(session).open_questions(locked.id)
            if not rows:
                raise Conflict(
                    f"Execution {locked.id} has no open question; it is {locked.status}.", code="no_open_question"
                )
            questions = [_question(row) for row in rows]
            if unknown := unknown_names(questions, given):
                raise Invalid(
                    f"No open question is called {', '.join(map(repr, unknown))}.",
                    code="answer_unknown",
                    hint="Open are: " + "; ".join(f"{question.id} {question.text}" for question in questions),
                )
            outcomes, actions = Outcomes(session), PersonActions(session)
            _, assumption = await outcomes.last_question(locked.id)
            used = await Documents(session).used_ids(locked.project_id, "")
            settled = settle(
                questions,
                given,
                decide_rest=decide_rest,
                next_assumption=max(assumption, used.get("ASM", 0)) + 1,
            )
            for one in settled:
                number = int(one.question.id.removeprefix("Q-"))
                await actions.answer(locked.id, number, one.text, one.decided_by.value, one.assumption_id)
            if await actions.release_answered_steps(locked.id):
                await self._go_on(session, locked, ExecutionStatus.WAITING_FOR_ANSWERS)
            await outcomes.event(locked.id, "answered", data={"questions": [one.question.id for one in settled]})
            return locked.id

        return await self._database.transact(work)

    async def accept(self, execution: str, step_id: str | None = None) -> UUID:
        """Accept the document a step waits with. Raises Conflict if none waits, or several and none is named."""

        async def work(session: WriteSession) -> UUID:
            locked = await self._lock(session, execution)
            outcomes, actions = Outcomes(session), PersonActions(session)
            step = await self._gate(outcomes, locked, step_id)
            await outcomes.set_step(
                locked.id, step.step_id, status=StepStatus.DONE.value, accepted=True, reason=None, guidance=None
            )
            await actions.record_decision(
                locked.id, step.step_id, DecisionAction.ACCEPT.value, None, step.document_id
            )
            await self._go_on(session, locked, ExecutionStatus.WAITING_FOR_ACCEPTANCE)
            await outcomes.event(locked.id, "accepted", step.step_id)
            return locked.id

        return await self._database.transact(work)

    async def reject(self, execution: str, reason: str, step_id: str | None = None) -> UUID:
        """Send the waiting document back with a reason, which becomes an input of the next attempt."""
        words = _words(reason, "A reason is needed to send a document back.")

        async def work(session: WriteSession) -> UUID:
            locked = await self._lock(session, execution)
            outcomes, actions = Outcomes(session), PersonActions(session)
            step = await self._gate(outcomes, locked, step_id)
            await actions.record_decision(
                locked.id, step.step_id, DecisionAction.REJECT.value, words, step.document_id
            )
            await outcomes.send_back(locked.id, [step.step_id], {step.step_id: words})
            await self._go_on(session, locked, ExecutionStatus.WAITING_FOR_ACCEPTANCE)
            await outcomes.event(locked.id, "sent_back", step.step_id, {"reason": words})
            return locked.id

        return await self._database.transact(work)

    async def decide(self, execution: str, action: DecisionAction, guidance: str | None = None) -> UUID:
        """A person's word where a QA limit was reached: accept anyway, try again with guidance, or cancel."""
        if action is DecisionAction.CANCEL:
            return await self.cancel(execution)
        if action is DecisionAction.TRY_AGAIN:
            guidance = _words(guidance, "Trying again needs guidance, or the same would come out.")

        async def work(session: WriteSession) -> UUID:
            locked = await self._lock(session, execution)
            outcomes, actions = Outcomes(session), PersonActions(session)
            waiting = [s for s in await outcomes.steps(locked.id) if s.status == StepStatus.WAITING_FOR_DECISION]
            if not waiting:
                raise Conflict(
                    f"Execution {locked.id} waits for no decision; it is {locked.status}.", code="no_decision_wanted"
                )
            for step in waiting:
                if action is DecisionAction.TRY_AGAIN:
                    await self._try_again(session, locked, step, guidance or "")
                else:
                    await self._accept_anyway(outcomes, actions, locked, step)
                await actions.record_decision(locked.id, step.step_id, action.value, guidance, step.document_id)
            await self._go_on(session, locked, ExecutionStatus.WAITING_FOR_DECISION)
            await outcomes.event(locked.id, "decided", data={"action": action.value, "guidance": guidance})
            return locked.id

        return await self._database.transact(work)

    async def cancel(self, execution: str) -> UUID:
        """End the execution; a call in flight is cut. Raises Conflict if it has ended already."""

        async def work(session: WriteSession) -> UUID:
            locked = await self._lock(session, execution)
            if ExecutionStatus(locked.status) in ENDED - {ExecutionStatus.FAILED}:
                raise Conflict(f"Execution {locked.id} is {locked.status} already.", code="already_ended")
            actions, outcomes = PersonActions(session), Outcomes(session)
            await actions.record_decision(locked.id, None, DecisionAction.CANCEL.value, None, None)
            await outcomes.finish(locked.id, ExecutionStatus.CANCELLED.value, ended=True)
            await actions.poke(locked.id)
            return locked.id

        return await self._database.transact(work)

    async def resume(self, execution: str, budget_usd: Decimal | None = None) -> UUID:
        """Go on after a failure, an outage, a budget, or a process that is gone.

        Raises Conflict when a live process works on it, when a person must do something else first, or when it ended.
        """

        async def work(session: WriteSession) -> UUID:
            locked = await self._lock(session, execution)
            actions, outcomes = PersonActions(session), Outcomes(session)
            status = ExecutionStatus(locked.status)
            if budget_usd is not None:
                await actions.set_budget(locked.id, budget_usd)
            if status in {ExecutionStatus.QUEUED, ExecutionStatus.RUNNING}:
                await self._take_over(session, locked)
            elif status in {
                ExecutionStatus.FAILED,
                ExecutionStatus.WAITING_FOR_PROVIDER,
                ExecutionStatus.WAITING_FOR_BUDGET,
            }:
                if status is ExecutionStatus.WAITING_FOR_BUDGET and budget_usd is None:
                    raise Conflict(
                        f"Execution {locked.id} stopped at its cap of {locked.budget_usd} USD.",
                        code="budget_needed",
                        hint=f"Say how much it may cost in all: combine resume {locked.id} --budget USD",
                    )
                await actions.release_steps(locked.id, status.value)
                await self._go_on(session, locked, status)
            else:
                raise _cannot_resume(locked)
            await outcomes.event(locked.id, "resumed")
            return locked.id

        return await self._database.transact(work)

    async def _lock(self, session: WriteSession, execution: str) -> LockedExecution:
        return await PersonActions(session).lock(await find_execution(session, execution))

    async def _go_on(self, session: WriteSession, locked: LockedExecution, waited_as: ExecutionStatus) -> None:
        """Enqueue the next segment, or tell the one that still works on other steps."""
        actions = PersonActions(session)
        if locked.status == waited_as:
            round_ = await actions.requeue(locked.id)
            await self._engine.enqueue(session, locked.id, round_)
        else:
            await actions.poke(locked.id)

    async def _take_over(self, session: WriteSession, locked: LockedExecution) -> None:
        adoption = await self._engine.adopt(session, locked.id, locked.round)
        if adoption is Adoption.BUSY:
            raise Conflict(
                f"Another process works on execution {locked.id}.",
                code="already_running",
                hint=f"Follow it with: combine watch {locked.id}",
            )
        if adoption is Adoption.ENDED:
            round_ = await PersonActions(session).requeue(locked.id)
            await self._engine.enqueue(session, locked.id, round_)

    async def _gate(self, outcomes: Outcomes, locked: LockedExecution, step_id: str | None) -> LockedStep:
        waiting = [
            step
            for step in await outcomes.steps(locked.id)
            if step.status == StepStatus.WAITING_FOR_ACCEPTANCE and step_id in {None, step.step_id}
        ]
        if len(waiting) == 1:
            return waiting[0]
        if waiting:
            names = ", ".join(step.step_id for step in waiting)
            raise Conflict(f"Several steps wait for acceptance: {names}.", code="step_needed", hint="Name one: --step")
        raise Conflict(
            f"Execution {locked.id} waits for no acceptance; it is {locked.status}.", code="no_acceptance_wanted"
        )

    async def _try_again(
        self, session: WriteSession, locked: LockedExecution, step: LockedStep, guidance: str
    ) -> None:
        steps = [step.step_id]
        if step.document_id is not None:
            document = await Documents(session).get(step.document_id)
            workflow = definition_from_json(locked.definition)
            plan = plan_after_review(document.content, workflow, step.step_id, revisions_done=locked.revision)
            steps = sorted(plan.steps | {step.step_id})
        await Outcomes(session).send_back(locked.id, steps, dict.fromkeys(steps, guidance))

    async def _accept_anyway(
        self, outcomes: Outcomes, actions: PersonActions, locked: LockedExecution, step: LockedStep
    ) -> None:
        if step.document_id is not None:
            await outcomes.set_step(locked.id, step.step_id, status=StepStatus.DONE.value, accepted=True, reason=None)
            return
        codes = set(await actions.last_finding_codes(locked.id, step.step_id))
        if codes & UNSAVABLE_CODES:
            raise Conflict(
                f"The last output of step {step.step_id} is no valid document, so it cannot be accepted.",
                code="not_acceptable",
                hint=f"Try again with guidance: combine resume {locked.id} --decision try-again --guidance TEXT",
            )
        await outcomes.accept_last_attempt(locked.id, step.step_id)

    def _check_money(self, command: StartExecution, workflow: WorkflowDefinition) -> None:
        if command.budget_usd is None:
            return
        if command.budget_usd <= 0:
            raise Invalid("A budget is an amount above 0 USD.", code="budget_invalid")
        for model in {command.model, *(step.model for step in workflow.steps if step.model)}:
            ref, _ = parse_model(model)
            if self._pricing.price(ref, Usage(input_tokens=1)).usd is None:
                raise Invalid(
                    f"The price of {ref} is not known, so a budget cannot be kept.",
                    code="price_unknown",
                    hint=f'Declare it, e.g. COMBINE_LLM_PRICES=\'{{"{ref.model}": {{"input": 1, "output": 5}}}}\' '
                    "(USD per million tokens), or run without --budget.",
                )


def _question(row: object) -> Question:
    raise NotImplementedError


def _words(text: str | None, message: str) -> str:
    words = (text or "").strip()
    if not words:
        raise Invalid(message, code="reason_missing")
    return words


def _cannot_resume(locked: LockedExecution) -> Conflict:
    hints = {
        ExecutionStatus.WAITING_FOR_ANSWERS: f"Answer its questions: combine answer {locked.id}",
        ExecutionStatus.WAITING_FOR_ACCEPTANCE: f"combine accept {locked.id}, or "
        f"combine reject {locked.id} --reason TEXT",
        ExecutionStatus.WAITING_FOR_DECISION: f"combine resume {locked.id} --decision accept-anyway, "
        "try-again --guidance TEXT, or cancel",
        ExecutionStatus.COMPLETED: f"See it: combine show {locked.id}",
        ExecutionStatus.CANCELLED: "Start anew: combine run BRIEF",
    }
    status = ExecutionStatus(locked.status)
    return Conflict(f"Execution {locked.id} is {status}.", code="cannot_resume", hint=hints.get(status))


_ = Sequence

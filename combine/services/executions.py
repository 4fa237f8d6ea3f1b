"""Starts executions and changes them on request. One public method is one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from combine.auth.permissions import Actor, ProjectRole
from combine.brief.brief import brief_to_json
from combine.documents.ordering import content_sha256
from combine.documents.statuses import ENDED, UNDER_WAY, DecisionAction, ExecutionStatus, StepStatus
from combine.engine.queue import Adoption, SegmentQueue
from combine.errors import Conflict, Invalid, NotFound
from combine.execution.clarification import settle_questions
from combine.llm.pricing import Pricing
from combine.records import Execution, Step
from combine.services.access import Access
from combine.services.amounts import check_budget
from combine.services.audit import record_audit
from combine.services.commands import ForkExecution, StartExecution
from combine.services.forks import answers_for, check_fork, store_fork
from combine.services.names import project_name
from combine.services.projects import make_project
from combine.services.spending import CODES, Spending, say_unpriced
from combine.services.waiting import accept_anyway, gate, must_be_open, say_what_is_open, see, try_again
from combine.storage.core.database import Database, WriteSession
from combine.storage.decisions import Decisions
from combine.storage.events import Events
from combine.storage.executions import Executions
from combine.storage.hot.caps import CapKind
from combine.storage.hot.journal import Journal
from combine.storage.hot.numbering import Numbering
from combine.storage.hot.outages import Outages
from combine.storage.hot.starting import store_start
from combine.storage.hot.transitions import Transitions
from combine.storage.people.idempotency import IdempotencyKeys, KeyUse
from combine.storage.projects import ProjectRow, Projects
from combine.storage.questions import Questions
from combine.storage.steps import Steps
from combine.workflows.catalog import Catalog
from combine.workflows.models import parse_model

_OVER = ENDED - {ExecutionStatus.FAILED}
_STOPPED = frozenset({ExecutionStatus.FAILED, ExecutionStatus.WAITING_FOR_PROVIDER, ExecutionStatus.WAITING_FOR_BUDGET})


@dataclass(frozen=True, slots=True)
class Started:
    """The result of a start with an idempotency key."""

    execution_id: UUID
    replayed: bool
    """It was started before, with the same key."""


class ExecutionService:
    """Writes. Every method that lets an execution continue enqueues its next segment in the same commit.

    Every method raises NotFound for what its actor may not see, and NotPermitted for what they may not change.
    """

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        queue: SegmentQueue,
        pricing: Pricing,
        *,
        actor: Actor,
        daily_budget_usd: Decimal | None = None,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._queue = queue
        self._spending = Spending(pricing, daily_budget_usd)
        self._actor = actor
        self._access = Access(actor)

    async def start(self, command: StartExecution) -> UUID:
        """Store brief and execution, enqueue the first segment, return the id. A missing project is created by name.

        Raises NotFound for an unknown workflow, Invalid for an unknown model, a budget of 0, or a model with an
        unknown price where a cap of any kind applies, unless that is allowed; Conflict for a project name that others
        have taken.
        """
        new = self._prepare(command)
        return await self._database.transact(lambda session: self._start(session, command, new))

    async def start_once(self, command: StartExecution, key: str) -> Started:
        """Like ``start``, but idempotent: a repeated request with the same key returns the first execution.

        Keys belong to their user and are valid for a day. Raises Conflict for a key used with another request.
        """
        new = self._prepare(command)
        use = KeyUse(self._actor.user_id, key, _fingerprint(command, new), new.id)

        async def work(session: WriteSession) -> Started:
            first = await IdempotencyKeys(session).claim(use)
            if first is not None:
                if await self._project_of(session, command, new) is None:  # the user must still have access
                    raise NotFound(f"There is no project {new.project!r}.", code="project_not_found")
                return Started(first, replayed=True)
            return Started(await self._start(session, command, new), replayed=False)

        return await self._database.transact(work)

    def _prepare(self, command: StartExecution) -> Execution:
        """The new execution. Its ids are generated before the transaction, so that storing it is idempotent."""
        workflow = self._catalog.workflow(command.workflow_id)
        check_budget(command.budget_usd)
        model, _ = parse_model(command.model)
        now = datetime.now(UTC)
        return Execution(
            id=uuid4(),
            project_id=uuid4(),
            project=project_name(command.project) if isinstance(command.project, str) else "",
            workflow=workflow,
            brief_id=uuid4(),
            model=model,
            status=ExecutionStatus.QUEUED,
            ask=command.ask,
            given_answers=command.answers,
            budget_usd=command.budget_usd,
            allow_unpriced=command.allow_unpriced,
            created_at=now,
            updated_at=now,
        )

    async def _start(self, session: WriteSession, command: StartExecution, new: Execution) -> UUID:
        project = await self._project_of(session, command, new)
        if project is None and self._actor.user_id is not None:
            project = await self._made_project(session, command, new)
        if project is not None:
            new = replace(new, project=project.name)
        unpriced = self._spending.unpriced(str(new.model), new.workflow)
        if unpriced and not command.allow_unpriced:
            cap = None if project is None else project.budget_usd
            self._spending.refuse_under_a_cap(unpriced, command.budget_usd, new.project, cap)
        await store_start(session, new, command.brief)
        if command.allow_unpriced:
            await say_unpriced(session, new.id, unpriced)
            await self._record(session, "execution.unpriced_allowed", await Executions(session).get(new.id))
        await self._queue.enqueue(session, new.id, 1)
        return new.id

    async def _project_of(self, session: WriteSession, command: StartExecution, new: Execution) -> ProjectRow | None:
        """The project, in which its actor may start executions; None: they see no project with that name."""
        if isinstance(command.project, UUID):
            project = await Projects(session).seen(command.project, self._access.visibility)
        else:
            found = await Projects(session).find(new.project, self._access.visibility)
            if found is None:
                return None
            project = found
        await self._access.need(session, project.id, ProjectRole.EDITOR)
        return project

    async def _made_project(self, session: WriteSession, command: StartExecution, new: Execution) -> ProjectRow:
        """Create the project in the same transaction. Raises NotPermitted, and Conflict for a name that is taken."""
        try:
            await make_project(session, self._actor, new.project_id, new.project)
        except Conflict:
            project = await self._project_of(session, command, new)  # created concurrently by the same user
            if project is None:
                raise
            return project
        return await Projects(session).get(new.project_id)

    async def answer(self, execution: str, given: Mapping[str, str], *, decide_rest: bool = False) -> UUID:
        """Settle open questions. Raises Conflict if none is open, Invalid for an answer that cannot be used.

        ``given`` maps question ids or texts to answers; with ``decide_rest`` the others get their defaults.
        """

        async def work(session: WriteSession) -> UUID:
            row = await self._lock_open(session, execution)
            questions = await Questions(session).open_questions(row.id)
            must_be_open(row, questions, given)
            highest = await Numbering(session).highest(row.id, "ASM")
            settled = settle_questions(questions, given, decide_rest=decide_rest, next_assumption=highest + 1)
            for one in settled:
                await Questions(session).answer(
                    row.id, one.number, one.text, one.decided_by, assumption_id=one.assumption_id
                )
            released = await Transitions(session).release_answered_steps(row.id)
            reasons = await say_what_is_open(session, row.id)
            if released:
                await self._go_on(session, row, ExecutionStatus.WAITING_FOR_ANSWERS)
            elif reasons and row.status == ExecutionStatus.WAITING_FOR_ANSWERS:
                await Executions(session).set_status(row.id, row.status, reason=reasons[0])
            ids = [one.question.id for one in settled]
            await Events(session).append_once(row.id, "answered", data={"questions": ids})
            return row.id

        return await self._database.transact(work)

    async def accept(self, execution: str, step_id: str | None = None) -> UUID:
        """Accept the document of a waiting step. Raises Conflict if no step waits, or several and none is named."""

        async def work(session: WriteSession) -> UUID:
            row = await self._lock_open(session, execution)
            step = await gate(session, row, step_id)
            await Steps(session).update(
                row.id, step.step_id, status=StepStatus.DONE, accepted=True, reason=None, guidance=None
            )
            await Decisions(session).insert(
                row.id, DecisionAction.ACCEPT, step_id=step.step_id, document_id=step.document_id
            )
            await self._record(session, "document.accepted", row, _of_step(step))
            await self._go_on(session, row, ExecutionStatus.WAITING_FOR_ACCEPTANCE)
            await Events(session).append(row.id, "accepted", step.step_id)
            return row.id

        return await self._database.transact(work)

    async def reject(self, execution: str, reason: str, step_id: str | None = None) -> UUID:
        """Send the waiting document back with a reason, which becomes an input of the next attempt."""
        words = _words(reason, "A reason is required to send a document back.")

        async def work(session: WriteSession) -> UUID:
            row = await self._lock_open(session, execution)
            step = await gate(session, row, step_id)
            await Decisions(session).insert(
                row.id, DecisionAction.REJECT, step_id=step.step_id, reason=words, document_id=step.document_id
            )
            await Transitions(session).send_back(row.id, [step.step_id], {step.step_id: words})
            await self._record(session, "document.sent_back", row, _of_step(step))
            await self._go_on(session, row, ExecutionStatus.WAITING_FOR_ACCEPTANCE)
            await Events(session).append(row.id, "sent_back", step.step_id, {"reason": words})
            return row.id

        return await self._database.transact(work)

    async def decide(self, execution: str, action: DecisionAction, guidance: str | None = None) -> UUID:
        """A person's decision after a QA limit was reached: accept anyway, try again with guidance, or cancel."""
        if action is DecisionAction.CANCEL:
            return await self.cancel(execution)
        if action is DecisionAction.TRY_AGAIN:
            guidance = _words(guidance, "Guidance is required to try again; without it the result would be the same.")

        async def work(session: WriteSession) -> UUID:
            row = await self._lock_open(session, execution)
            steps = await Steps(session).list(row.id)
            waiting = [step for step in steps if step.status == StepStatus.WAITING_FOR_DECISION]
            if not waiting:
                raise Conflict(
                    f"Execution {row.id} is not waiting for a decision; it is {row.status}.",
                    code="no_decision_wanted",
                    hint=see(row),
                )
            for step in waiting:
                if action is DecisionAction.TRY_AGAIN:
                    await try_again(session, row, step, guidance or "")
                else:
                    await accept_anyway(session, row, step)
                await Decisions(session).insert(
                    row.id, action, step_id=step.step_id, reason=guidance, document_id=step.document_id
                )
            await self._record(session, "execution.decided", row, {"action": action.value})
            await self._go_on(session, row, ExecutionStatus.WAITING_FOR_DECISION)
            await Events(session).append(row.id, "decided", data={"action": action.value, "guidance": guidance})
            return row.id

        return await self._database.transact(work)

    async def cancel(self, execution: str) -> UUID:
        """End the execution; a call in flight is aborted. Raises Conflict if it has ended already."""

        async def work(session: WriteSession) -> UUID:
            # Here, since it may not be running; if it is, the reply is still stored. Before the lock,
            # as a segment that closes a call takes the call's row first, too.
            found = await self._access.execution(session, execution, ProjectRole.EDITOR)
            await Journal(session).forget_open_calls(found.id)
            row = await self._lock_open(session, execution)
            await Decisions(session).insert(row.id, DecisionAction.CANCEL)
            await self._record(session, "execution.cancelled", row)
            await Transitions(session).poke(row.id)
            await Transitions(session).finish(row.id, ExecutionStatus.CANCELLED)
            return row.id

        return await self._database.transact(work)

    async def resume(self, execution: str, budget_usd: Decimal | None = None, *, allow_unpriced: bool = False) -> UUID:
        """Continue after a failure, an outage, a reached cap or a lost process.

        ``budget_usd``: the new cap; not required if it stopped at the cap of its project or of the day.
        Raises Conflict while a live process is running it, when a person must act first, or when it has ended.
        """

        async def work(session: WriteSession) -> UUID:
            row = await self._lock(session, execution)
            await self._change_money(session, row, budget_usd, allow_unpriced=allow_unpriced)
            if row.status in UNDER_WAY:
                await self._take_over(session, row)
            elif row.status in _STOPPED:
                if row.reason_code == CODES[CapKind.EXECUTION] and budget_usd is None:
                    raise Conflict(
                        f"Execution {row.id} stopped at its cap of {row.budget_usd} USD.",
                        code="budget_needed",
                        hint=f"Raise the cap (total cost): combine resume {row.id} --budget USD",
                    )
                if row.status == ExecutionStatus.WAITING_FOR_PROVIDER:
                    await Outages(session).try_now(row.id, probe=True)
                await Transitions(session).release_steps(row.id, row.status)
                await self._go_on(session, row, row.status)
            else:
                raise _cannot_resume(row)
            await Events(session).append_once(row.id, "resumed")
            return row.id

        return await self._database.transact(work)

    async def fork(self, execution: str, command: ForkExecution) -> UUID:
        """Start a new execution that keeps the results before one step, enqueue it and return its id.

        Same project, brief, workflow and answers. Raises Conflict while the execution is running, NotFound for an
        unknown step, Invalid as ``start`` does.
        """
        fork_id = uuid4()

        async def work(session: WriteSession) -> UUID:
            source = await self._lock(session, execution)
            check_fork(source, command.from_step)
            model, _ = parse_model(command.model or str(source.model))
            budget_usd = source.budget_usd if command.budget_usd is None else command.budget_usd
            check_budget(budget_usd)
            unpriced = self._spending.unpriced(str(model), source.workflow)
            allowed = command.allow_unpriced or source.allow_unpriced
            if unpriced and not allowed:
                project = await Projects(session).get(source.project_id)
                self._spending.refuse_under_a_cap(unpriced, budget_usd, source.project, project.budget_usd)
            new = replace(
                source,
                id=fork_id,
                model=model,
                given_answers=await answers_for(session, source),
                budget_usd=budget_usd,
                allow_unpriced=allowed,
                forked_from=source.id,
            )
            await store_fork(session, source, new, command.from_step)
            if allowed:
                await say_unpriced(session, fork_id, unpriced)
                await self._record(session, "execution.unpriced_allowed", source, {"fork": str(fork_id)})
            await self._queue.enqueue(session, fork_id, 1)
            await Events(session).append_once(
                fork_id, "execution_queued", data={"workflow": source.workflow.workflow_id}
            )
            return fork_id

        return await self._database.transact(work)

    async def _lock(self, session: WriteSession, execution: str) -> Execution:
        """The execution's row, locked, for an actor who may change it."""
        found = await self._access.execution(session, execution, ProjectRole.EDITOR)
        row = await Executions(session).lock(found.id)
        await self._access.need(session, row.project_id, ProjectRole.EDITOR)  # the role may be gone by now
        return row

    async def _lock_open(self, session: WriteSession, execution: str) -> Execution:
        """Like ``_lock``; raises Conflict if the execution has ended, even if a step is still marked as waiting."""
        row = await self._lock(session, execution)
        if row.status in _OVER:
            raise Conflict(f"Execution {row.id} is already {row.status}.", code="already_ended", hint=see(row))
        return row

    async def _record(
        self, session: WriteSession, action: str, execution: Execution, data: Mapping[str, Any] | None = None
    ) -> None:
        await record_audit(
            session, self._actor, action, project_id=execution.project_id, object_=str(execution.id), data=data
        )

    async def _go_on(self, session: WriteSession, row: Execution, waited_as: ExecutionStatus) -> None:
        """Enqueue the next segment, or notify the one that is still running other steps."""
        if row.status == waited_as:
            await self._queue.enqueue(session, row.id, await Transitions(session).requeue(row.id))
        else:
            await Transitions(session).poke(row.id)

    async def _take_over(self, session: WriteSession, row: Execution) -> None:
        adoption = await self._queue.adopt(session, row.id, row.round)
        if adoption is Adoption.BUSY:
            raise Conflict(
                f"Execution {row.id} is running in another process.",
                code="already_running",
                hint=f"Follow it with: combine watch {row.id}",
            )
        if adoption is Adoption.ENDED:
            await self._queue.enqueue(session, row.id, await Transitions(session).requeue(row.id))
        else:
            await Executions(session).caused_by_this_request(row.id)

    async def _change_money(
        self, session: WriteSession, row: Execution, budget_usd: Decimal | None, *, allow_unpriced: bool
    ) -> None:
        check_budget(budget_usd)
        unpriced = self._spending.unpriced(str(row.model), row.workflow)
        if allow_unpriced:
            await Executions(session).allow_unpriced(row.id)
            await self._record(session, "execution.unpriced_allowed", row)
            await say_unpriced(session, row.id, unpriced)
        elif unpriced and budget_usd is not None and not row.allow_unpriced:
            project = await Projects(session).get(row.project_id)
            self._spending.refuse_under_a_cap(unpriced, budget_usd, project.name, project.budget_usd)
        if budget_usd is not None:
            await Executions(session).set_budget(row.id, budget_usd)
            await self._record(session, "execution.budget_set", row, {"budget_usd": str(budget_usd)})


def _words(text: str | None, message: str) -> str:
    words = (text or "").strip()
    if not words:
        raise Invalid(message, code="reason_missing")
    return words


def _cannot_resume(row: Execution) -> Conflict:
    hints = {
        ExecutionStatus.WAITING_FOR_ANSWERS: f"Answer its questions: combine answer {row.id}",
        ExecutionStatus.WAITING_FOR_ACCEPTANCE: f"combine accept {row.id}, or combine reject {row.id} --reason TEXT",
        ExecutionStatus.WAITING_FOR_DECISION: f"combine resume {row.id} --decision accept-anyway, "
        "try-again --guidance TEXT, or cancel",
        ExecutionStatus.COMPLETED: f"See the result: combine show {row.id}",
        ExecutionStatus.CANCELLED: "Start a new one: combine run BRIEF",
    }
    return Conflict(f"Execution {row.id} is {row.status}.", code="cannot_resume", hint=hints.get(row.status))


def _of_step(step: Step) -> dict[str, Any]:
    return {"step": step.step_id, "document_id": None if step.document_id is None else str(step.document_id)}


def _fingerprint(command: StartExecution, new: Execution) -> str:
    """The request itself, without generated values."""
    budget_usd = None if new.budget_usd is None else str(new.budget_usd.normalize())
    return content_sha256(
        {
            "project": str(command.project) if isinstance(command.project, UUID) else new.project,
            "brief": brief_to_json(command.brief),
            "workflow_id": new.workflow.workflow_id,
            "model": str(new.model),
            "ask": new.ask,
            "answers": dict(new.given_answers),
            "budget_usd": budget_usd,
            "allow_unpriced": new.allow_unpriced,
        }
    )

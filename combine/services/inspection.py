"""Reads executions: lists, details, and events as they happen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from combine.auth.permissions import Actor
from combine.documents.statuses import UNDER_WAY, CallState, ExecutionStatus, StepStatus
from combine.engine.alive import pid_is_gone
from combine.engine.heartbeat import DEAD_AFTER_S
from combine.records import Call, Event, Execution, ExecutionSnapshot, Step
from combine.services.access import Access
from combine.services.views import (
    CallView,
    DocumentView,
    ExecutionDetail,
    ExecutionView,
    ExecutorView,
    FindingView,
    QuestionView,
    StepView,
    TokensView,
    view,
)
from combine.storage.calls import Calls
from combine.storage.core.database import Database, ReadSession
from combine.storage.core.listener import EventListener
from combine.storage.events import Events
from combine.storage.executions import Executions
from combine.storage.executors import ExecutorRow, Executors
from combine.storage.snapshot import Depth, Snapshots


class InspectionService:
    """Reads only. One public method is one transaction, except ``follow``, which reads repeatedly."""

    def __init__(self, database: Database, listener: EventListener, *, actor: Actor) -> None:
        self._database = database
        self._listener = listener
        self._access = Access(actor)

    async def list(
        self,
        project: str | UUID | None = None,
        status: ExecutionStatus | None = None,
        limit: int = 50,
        before: tuple[datetime, UUID] | None = None,
    ) -> tuple[ExecutionView, ...]:
        """Executions, newest first. Raises NotFound for an unknown project.

        ``before``: ``created_at`` and ``id`` of the last one of the previous page.
        """
        async with self._database.read() as session:
            project_id = None if project is None else (await self._access.project(session, project)).id
            statuses = () if status is None else (status.value,)
            rows = await Executions(session).list(
                self._access.visibility, project_id=project_id, statuses=statuses, limit=limit, before=before
            )
            costs = await Calls(session).costs([row.id for row in rows])
            return tuple(_execution(row, costs[row.id]) for row in rows)

    async def executors(self) -> tuple[ExecutorView, ...]:
        """The workers, most recent heartbeat first. For admins of the installation; raises NotPermitted."""
        self._access.actor.need_instance_admin()
        async with self._database.read() as session:
            return tuple(executor_view(row) for row in await Executors(session).list())

    async def find(self, execution: str) -> UUID:
        """The id of an execution the actor may see, by its prefix; cheaper than ``detail``, and raises as it does."""

        async def work(session: ReadSession) -> UUID:
            return (await Executions(session).find_by_prefix(execution, self._access.visibility)).id

        return await self._database.once(work)

    async def detail(self, execution: str) -> ExecutionDetail:
        """Everything about one execution, found by a prefix of its id.

        Raises NotFound, Invalid for a prefix that is too short, Conflict if several executions match.
        """

        async def work(session: ReadSession) -> ExecutionSnapshot:
            return await Snapshots(session).find(execution, self._access.visibility, Depth.OVERVIEW)

        return _detail(await self._database.once(work))

    async def follow(self, execution_id: UUID, after_seq: int = 0) -> AsyncIterator[Event]:
        """Events after ``after_seq`` in order, as they happen, until the execution pauses or ends.

        Without gaps or duplicates. Raises NotFound.
        """
        async with self._database.read() as session:
            await Executions(session).seen(execution_id, self._access.visibility)
        with self._listener.subscribe(execution_id) as subscription:
            while True:
                async with self._database.read() as session:
                    # The status first: an execution that has paused by then has stored its last event.
                    status = (await Executions(session).get(execution_id)).status
                    rows = await Events(session).after(execution_id, after_seq)
                for row in rows:
                    after_seq = row.seq
                    yield row
                if not rows:
                    if status not in UNDER_WAY:
                        return
                    await subscription.wait()


def _detail(whole: ExecutionSnapshot) -> ExecutionDetail:
    execution = whole.execution
    return ExecutionDetail(
        execution=_execution(execution, _cost(whole.calls)),
        steps=tuple(_step(step, whole) for step in whole.steps),
        documents=_documents(whole),
        questions=tuple(view(QuestionView, question) for question in whole.questions),
        findings=tuple(view(FindingView, finding) for finding in whole.open_findings),
        calls=tuple(_call(call) for call in whole.calls),
        tokens=_tokens_of(whole.calls),
        reserved_usd=execution.reserved_usd,
        revision=execution.revision,
        round=execution.round,
        seq=execution.seq,
        duration_s=whole.seconds_at_work,
    )


def _cost(calls: Sequence[Call]) -> Decimal | None:
    """Includes the reservations of calls whose outcome is unknown. None: the price of a call is unknown."""
    costs = [call.booked_usd for call in calls if call.state is not CallState.INTENT]
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if len(known) == len(costs) else None


def _documents(whole: ExecutionSnapshot) -> tuple[DocumentView, ...]:
    """In step order, the newest of each step last."""
    place = {step.step_id: step.position for step in whole.steps}
    ordered = sorted(whole.documents, key=lambda one: (place.get(one.step_id or "", len(place)), one.version))
    return tuple(view(DocumentView, one, project=whole.execution.project) for one in ordered)


def _execution(execution: Execution, cost_usd: Decimal | None) -> ExecutionView:
    waits = execution.status is ExecutionStatus.WAITING_FOR_PROVIDER
    return view(
        ExecutionView,
        execution,
        workflow_id=execution.workflow.workflow_id,
        model=str(execution.model),
        cost_usd=cost_usd,
        **({} if waits else {"waits_for": None, "next_try_at": None, "tries": 0}),
    )


def _step(step: Step, whole: ExecutionSnapshot) -> StepView:
    definition = whole.execution.workflow.step(step.step_id)
    replied = sum(call.step_id == step.step_id and call.state is CallState.REPLIED for call in whole.calls)
    status = _as_ended(step.status, whole.execution.status)
    return view(StepView, step, role=definition.role, output=definition.output, attempts=replied, status=status)


def _as_ended(status: StepStatus, execution: ExecutionStatus) -> StepStatus:
    """A step that was running when its execution failed or was cancelled has ended with it."""
    if status is StepStatus.RUNNING and execution in {ExecutionStatus.FAILED, ExecutionStatus.CANCELLED}:
        return StepStatus(execution.value)
    return status


def _call(call: Call) -> CallView:
    return view(CallView, call, model=call.answered_by, tokens=_tokens_of([call]), error=call.error_message)


def _tokens_of(calls: Sequence[Call]) -> TokensView:
    return TokensView(
        input=sum(call.input_tokens for call in calls),
        output=sum(call.output_tokens for call in calls),
        cache_read=sum(call.cache_read_tokens for call in calls),
        cache_write=sum(call.cache_write_tokens for call in calls),
    )


def executor_view(row: ExecutorRow) -> ExecutorView:
    """A process, and whether it is alive according to its heartbeats and this machine."""
    silent = row.age.total_seconds()
    alive = silent <= DEAD_AFTER_S and not pid_is_gone(row.host, row.pid)
    return view(ExecutorView, row, host=row.host.partition("/")[0], silent_s=silent, alive=alive)

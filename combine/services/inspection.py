"""Looking at executions: lists, one in detail, and its events as they happen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from combine.auth.permissions import Actor
from combine.documents.statuses import CallState, ExecutionStatus, StepStatus
from combine.engine.alive import pid_is_gone
from combine.engine.heartbeat import DEAD_AFTER_S
from combine.services.access import Access
from combine.services.views import (
    CallView,
    DocumentView,
    EventView,
    ExecutionDetail,
    ExecutionView,
    ExecutorView,
    FindingView,
    QuestionView,
    StepView,
    TokensView,
)
from combine.storage.calls import CallRow, Calls
from combine.storage.core.database import Database, ReadSession
from combine.storage.core.listener import EventListener
from combine.storage.documents import DocumentInfo
from combine.storage.events import EventRow, Events
from combine.storage.execution_reading import AskedQuestion, FoundFinding, WholeExecution, read_whole_execution
from combine.storage.executions import ExecutionRow, Executions
from combine.storage.executors import ExecutorRow, Executors
from combine.storage.projects import Projects
from combine.storage.steps import StepRow
from combine.workflows.definitions import WorkflowDefinition, definition_from_json

_AT_WORK = frozenset({ExecutionStatus.QUEUED, ExecutionStatus.RUNNING})


class InspectionService:
    """Reads only. One public method is one transaction, except ``follow``, which reads again and again."""

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
        """Executions, the newest first. Raises NotFound for an unknown project.

        ``before``: ``created_at`` and ``id`` of the last one of the page before.
        """
        async with self._database.read() as session:
            project_id = None if project is None else (await self._access.project(session, project)).id
            statuses = () if status is None else (status.value,)
            rows = await Executions(session).list(
                self._access.visibility, project_id=project_id, statuses=statuses, limit=limit, before=before
            )
            names = await Projects(session).names({row.project_id for row in rows})
            costs = await Calls(session).costs([row.id for row in rows])
            return tuple(_execution(row, names[row.project_id], costs[row.id]) for row in rows)

    async def executors(self) -> tuple[ExecutorView, ...]:
        """The processes that work, the one heard of last first. For admins of the installation; raises NotPermitted."""
        self._access.actor.need_instance_admin()
        async with self._database.read() as session:
            return tuple(executor_view(row) for row in await Executors(session).list())

    async def find(self, execution: str) -> UUID:
        """The id of one that they may see, by its beginning; cheaper than ``detail``, and raises as it does."""

        async def work(session: ReadSession) -> UUID:
            return (await Executions(session).find_by_prefix(execution, self._access.visibility)).id

        return await self._database.once(work)

    async def detail(self, execution: str) -> ExecutionDetail:
        """Everything about one execution, found by the beginning of its id.

        Raises NotFound, Invalid for a beginning that is too short, Conflict for one that several executions have.
        """

        async def work(session: ReadSession) -> WholeExecution:
            return await read_whole_execution(session, execution, self._access.visibility)

        return _detail(await self._database.once(work))

    async def follow(self, execution_id: UUID, after_seq: int = 0) -> AsyncIterator[EventView]:
        """Events after ``after_seq`` in order, as they happen, until the execution rests or ends.

        Nothing is missed and nothing comes twice. Raises NotFound.
        """
        async with self._database.read() as session:
            await Executions(session).seen(execution_id, self._access.visibility)
        with self._listener.subscribe(execution_id) as subscription:
            while True:
                async with self._database.read() as session:
                    # The status first: what is at rest by then has stored its last event.
                    status = (await Executions(session).get(execution_id)).status
                    rows = await Events(session).after(execution_id, after_seq)
                for row in rows:
                    after_seq = row.seq
                    yield event_view(row)
                if not rows:
                    if status not in _AT_WORK:
                        return
                    await subscription.wait()


def _detail(whole: WholeExecution) -> ExecutionDetail:
    row = whole.execution
    workflow = definition_from_json(row.definition)
    return ExecutionDetail(
        execution=_execution(row, whole.project, _cost(whole.calls)),
        steps=tuple(_step(step, workflow, whole.calls) for step in whole.steps),
        documents=_documents(whole),
        questions=tuple(_question(question) for question in whole.questions),
        findings=tuple(_finding(found) for found in whole.findings),
        calls=tuple(_call(call) for call in whole.calls),
        tokens=_tokens_of(whole.calls),
        reserved_usd=row.reserved_usd,
        revision=row.revision,
        round=row.round,
        seq=row.seq,
        duration_s=whole.seconds_at_work,
    )


def _cost(calls: Sequence[CallRow]) -> Decimal | None:
    """Of a call whose outcome is unknown the reservation counts. None: the price of a call is unknown."""
    costs = [
        call.reserved_usd if call.state == CallState.OUTCOME_UNKNOWN else call.cost_usd
        for call in calls
        if call.state != CallState.INTENT
    ]
    known = [cost for cost in costs if cost is not None]
    return sum(known, Decimal(0)) if len(known) == len(costs) else None


def _documents(whole: WholeExecution) -> tuple[DocumentView, ...]:
    """In the order of the steps, the newest of each step last."""
    place = {step.step_id: step.position for step in whole.steps}
    ordered = sorted(whole.documents, key=lambda one: (place.get(one.step_id or "", len(place)), one.version))
    return tuple(document_view(one, whole.project) for one in ordered)


def document_view(row: DocumentInfo, project: str) -> DocumentView:
    """One version without its content."""
    return DocumentView(
        id=row.id,
        project=project,
        project_id=row.project_id,
        type=row.type,
        version=row.version,
        status=row.status,
        origin=row.origin,
        model=row.model,
        execution_id=row.execution_id,
        step_id=row.step_id,
        content_sha256=row.content_sha256,
        created_at=row.created_at,
    )


def _execution(row: ExecutionRow, project: str, cost_usd: Decimal | None) -> ExecutionView:
    waits = row.status == ExecutionStatus.WAITING_FOR_PROVIDER
    return ExecutionView(
        id=row.id,
        project=project,
        project_id=row.project_id,
        workflow_id=row.workflow_id,
        status=ExecutionStatus(row.status),
        reason=row.reason,
        reason_code=row.reason_code,
        model=row.model,
        forked_from=row.forked_from,
        budget_usd=row.budget_usd,
        spent_usd=row.spent_usd,
        cost_usd=cost_usd,
        created_at=row.created_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
        waits_for=row.waits_for if waits else None,
        next_try_at=row.next_try_at if waits else None,
        tries=row.tries if waits else 0,
    )


def _step(row: StepRow, workflow: WorkflowDefinition, calls: Iterable[CallRow]) -> StepView:
    definition = workflow.step(row.step_id)
    replied = sum(call.step_id == row.step_id and call.state == CallState.REPLIED for call in calls)
    return StepView(
        step_id=row.step_id,
        role=definition.role,
        output=definition.output,
        status=StepStatus(row.status),
        revision=row.revision,
        attempts=replied,
        document_id=row.document_id,
        reason=row.reason,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _question(row: AskedQuestion) -> QuestionView:
    return QuestionView(
        id=f"Q-{row.number}",
        step_id=row.step_id,
        round=row.round,
        text=row.text,
        why=row.why,
        answer_type=row.answer_type,
        choices=row.choices,
        default=row.default_answer,
        required=row.required,
        answer=row.answer,
        decided_by=row.decided_by,
        assumption_id=row.assumption_id,
    )


def _finding(row: FoundFinding) -> FindingView:
    return FindingView(
        step_id=row.step_id,
        kind=row.kind,
        severity=row.severity,
        code=row.code,
        document=row.document,
        item=row.item,
        path=row.path,
        message=row.message,
    )


def _call(row: CallRow) -> CallView:
    return CallView(
        id=row.id,
        step_id=row.step_id,
        revision=row.revision,
        attempt=row.attempt,
        purpose=row.purpose,
        state=row.state,
        provider=row.provider,
        model=row.model_answered or row.model,
        tokens=_tokens_of([row]),
        cost_usd=row.cost_usd,
        reserved_usd=row.reserved_usd,
        started_at=row.started_at,
        finished_at=row.finished_at,
        stop_reason=row.stop_reason,
        error=row.error_message,
        request_id=row.request_id,
    )


def _tokens_of(calls: Iterable[CallRow]) -> TokensView:
    rows = list(calls)
    return TokensView(
        input=sum(row.input_tokens for row in rows),
        output=sum(row.output_tokens for row in rows),
        cache_read=sum(row.cache_read_tokens for row in rows),
        cache_write=sum(row.cache_write_tokens for row in rows),
    )


def event_view(row: EventRow) -> EventView:
    """One event."""
    return EventView(row.seq, row.at, row.kind, row.step_id, row.data, row.request_id)


def executor_view(row: ExecutorRow) -> ExecutorView:
    """A process, and whether it is alive as far as its beats and this machine tell."""
    silent = row.age.total_seconds()
    return ExecutorView(
        id=row.id,
        kind=row.kind,
        host=row.host.partition("/")[0],
        pid=row.pid,
        version=row.version,
        started_at=row.started_at,
        silent_s=silent,
        alive=silent <= DEAD_AFTER_S and not pid_is_gone(row.host, row.pid),
    )

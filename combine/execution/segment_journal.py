"""The beginning and the end of a segment in the tables. All transactions but one begin with the ownership fence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from combine.documents.statuses import UNDER_WAY, ExecutionStatus, StepStatus
from combine.errors import OwnershipLost
from combine.execution.segment import Segment
from combine.execution.state import runnable_steps
from combine.records import Execution, ExecutionSnapshot, Step
from combine.storage.core.database import Database, WriteSession
from combine.storage.events import Events
from combine.storage.executions import Executions
from combine.storage.hot.journal import Journal
from combine.storage.hot.outages import Outages
from combine.storage.hot.segments import Segments
from combine.storage.hot.transitions import Transitions
from combine.storage.key_order import snapshot_in_order
from combine.storage.snapshot import Depth, Snapshots
from combine.storage.steps import Steps
from combine.workflows.catalog import Catalog
from combine.workflows.definitions import WorkflowDefinition

_STOPPED: tuple[str, ...] = (
    # If several steps wait for different reasons, the first of these is shown.
    StepStatus.FAILED,
    StepStatus.WAITING_FOR_DECISION,
    StepStatus.WAITING_FOR_BUDGET,
    StepStatus.WAITING_FOR_PROVIDER,
    StepStatus.WAITING_FOR_ACCEPTANCE,
    StepStatus.WAITING_FOR_ANSWERS,
)


class Ending(Enum):
    """The result of trying to end a segment."""

    OVER = "over"
    MORE_TO_DO = "more_to_do"  # a person has answered in the meantime


@dataclass(frozen=True, slots=True)
class SegmentJournal:
    """The transactions of one segment. They retry during a database outage without limit; the heartbeat ends that."""

    database: Database
    segment: Segment
    catalog: Catalog

    async def begin(self) -> ExecutionSnapshot | None:
        """Mark the execution as running and read it. None: this segment has nothing to do, or has already ended."""
        claim, execution_id, round_ = self.segment.claim, self.segment.execution_id, self.segment.round
        begun = await self.database.once(
            lambda session: Segments(session).begin(claim, execution_id, round_), give_up_after=None
        )
        return await self.read() if begun else None

    async def read(self) -> ExecutionSnapshot:
        """The current state in the tables."""

        async def work(session: WriteSession) -> ExecutionSnapshot:
            state = await Snapshots(session).read(self.segment.execution_id, Depth.SEGMENT)
            if state is None:
                raise OwnershipLost
            return snapshot_in_order(state, self.catalog)

        return await self.database.once(work, give_up_after=None)

    async def fail_step(self, step_id: str, revision: int, reason: str, code: str) -> None:
        """Record that a step has failed at its provider. Raises SentBackSince."""

        async def work(session: WriteSession) -> None:
            await self.segment.claim.hold(session)
            await self._stop_step(session, step_id, revision, StepStatus.FAILED, {"reason": reason, "code": code})

        await self.database.transact(work, give_up_after=None)

    async def wait_for_provider(
        self, step_id: str, revision: int, reason: str, code: str, *, provider: str, at_least_s: float
    ) -> None:
        """Record that a step waits for its provider, which is retried for all that wait for it.

        ``at_least_s``: the wait that the provider has requested, in seconds. Raises SentBackSince.
        """

        async def work(session: WriteSession) -> None:
            await self.segment.claim.hold(session)
            await Executions(session).lock(self.segment.execution_id)
            next_try = await Outages(session).join(self.segment.execution_id, provider, at_least_s=at_least_s)
            stopped = {"reason": reason, "code": code, "provider": provider}
            data = {**stopped, "next_try_at": next_try.at.isoformat(), "tries": next_try.tries}
            await self._stop_step(session, step_id, revision, StepStatus.WAITING_FOR_PROVIDER, data)

        await self.database.transact(work, give_up_after=None)

    async def _stop_step(
        self, session: WriteSession, step_id: str, revision: int, status: StepStatus, data: Mapping[str, Any]
    ) -> None:
        execution_id = self.segment.execution_id
        await Steps(session).update_revision(
            execution_id, step_id, revision, status=status.value, reason=data["reason"], reason_code=data["code"]
        )
        await Events(session).append(execution_id, f"step_{status.value}", step_id, data)

    async def fail(self, reason: str, code: str) -> None:
        """End the execution as failed, with a reason. It can be resumed."""

        async def work(session: WriteSession) -> None:
            await self.segment.claim.hold(session)
            await Journal(session).forget_open_calls(self.segment.execution_id)
            execution = await Executions(session).lock(self.segment.execution_id)
            if execution.round != self.segment.round or execution.status not in UNDER_WAY:
                return  # a person has cancelled it, or this has been written before
            await Transitions(session).finish(
                self.segment.execution_id, ExecutionStatus.FAILED.value, reason=reason, reason_code=code
            )

        await self.database.transact(work, give_up_after=None)

    async def forget_open_calls(self, step_ids: Sequence[str] | None = None) -> None:
        """Mark the outcome of the calls in flight, or of those of these steps, as unknown."""

        async def work(session: WriteSession) -> None:
            await Journal(session).forget_open_calls(self.segment.execution_id, step_ids)

        await self.database.transact(work, give_up_after=None)

    async def end(self, workflow: WorkflowDefinition) -> Ending:
        """Pause or end the execution according to its steps, unless a step has become ready in the meantime."""

        async def work(session: WriteSession) -> Ending:
            segments = Segments(session)
            status = await segments.hold(self.segment.claim, self.segment.execution_id)
            if status != ExecutionStatus.RUNNING or await segments.complete(self.segment.execution_id):
                return Ending.OVER
            steps = await Steps(session).list(self.segment.execution_id)
            if runnable_steps(workflow, {step.step_id: step.status for step in steps}):
                if not self.segment.draining:
                    return Ending.MORE_TO_DO
                await Executions(session).next_round(self.segment.execution_id)
                await self.segment.enqueue_next(session)
                await Transitions(session).finish(self.segment.execution_id, ExecutionStatus.QUEUED.value)
                return Ending.OVER
            await self._pause(session, steps)
            return Ending.OVER

        return await self.database.transact(work, give_up_after=None)

    async def _pause(self, session: WriteSession, steps: tuple[Step, ...]) -> None:
        execution = await Executions(session).get(self.segment.execution_id)
        step = min((step for step in steps if step.status in _STOPPED), key=lambda step: _STOPPED.index(step.status))
        await Transitions(session).finish(
            execution.id,
            step.status,
            reason=step.reason,
            reason_code=step.reason_code,
            data=_next_try(execution) if step.status == StepStatus.WAITING_FOR_PROVIDER else None,
        )


def _next_try(execution: Execution) -> dict[str, Any]:
    at = execution.next_try_at
    return {"provider": execution.waits_for, "next_try_at": at and at.isoformat(), "tries": execution.tries}

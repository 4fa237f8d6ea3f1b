"""State changes of more than one column: ending a segment, sending steps back, releasing waiting steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from combine.storage.core.database import WriteSession
from combine.storage.core.listener import CONTROL_CHANNEL
from combine.storage.core.tables import steps
from combine.storage.events import Events
from combine.storage.executions import Executions


class Transitions:
    """Statements in the caller's transaction."""

    def __init__(self, session: WriteSession) -> None:
        self._session = session
        self._connection = session.connection

    async def finish(
        self,
        execution_id: UUID,
        status: str,
        *,
        reason: str | None = None,
        reason_code: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Set the execution's status, with its event; ``data``: the event's data besides the reason."""
        await Executions(self._session).set_status(execution_id, status, reason=reason, reason_code=reason_code)
        await Events(self._session).append(
            execution_id, f"execution_{status}", data={"reason": reason, "reason_code": reason_code, **(data or {})}
        )

    async def requeue(self, execution_id: UUID, *, by_itself: bool = False) -> int:
        """Queue the execution for its next segment; returns the number of its round.

        ``by_itself``: not requested by anybody, so it has the same cause as the last segment.
        """
        executions = Executions(self._session)
        await executions.set_status(execution_id, "queued")
        if not by_itself:
            await executions.caused_by_this_request(execution_id)
        return await executions.next_round(execution_id)

    async def poke(self, execution_id: UUID) -> None:
        """Notify the segment that runs it, in whichever process, once this transaction commits."""
        await Executions(self._session).caused_by_this_request(execution_id)
        await self._connection.execute(
            sa.text("SELECT pg_notify(:channel, :id)"), {"channel": CONTROL_CHANNEL, "id": str(execution_id)}
        )

    async def send_back(self, execution_id: UUID, step_ids: Sequence[str], guidance: Mapping[str, str]) -> None:
        """Start a new revision of these steps; ``guidance``: a person's guidance for some of them."""
        for step_id in step_ids:
            await self._connection.execute(
                sa.update(steps)
                .where(steps.c.execution_id == execution_id, steps.c.step_id == step_id)
                .values(
                    status="pending",
                    revision=steps.c.revision + 1,
                    attempt=0,
                    accepted=False,
                    guidance=guidance.get(step_id),
                    reason=None,
                    reason_code=None,
                    finished_at=None,
                )
            )

    async def count_revision(self, execution_id: UUID) -> None:
        """One more automatic revision of the whole execution."""
        await self._connection.execute(
            sa.text("UPDATE executions SET revision = revision + 1 WHERE id = :id"), {"id": execution_id}
        )

    async def release_answered_steps(self, execution_id: UUID) -> int:
        """Release steps whose questions are all settled; returns how many."""
        result = await self._connection.execute(
            sa.text(
                "UPDATE steps s SET status = 'pending', reason = NULL "
                "WHERE s.execution_id = :id AND s.status = 'waiting_for_answers' AND NOT EXISTS "
                "(SELECT 1 FROM questions q WHERE q.execution_id = s.execution_id AND q.step_id = s.step_id "
                " AND q.answer IS NULL)"
            ),
            {"id": execution_id},
        )
        return result.rowcount

    async def release_steps(self, execution_id: UUID, status: str) -> None:
        """Let steps with this ``status`` run again; paid replies are read again, not requested again.

        A step that failed because of a stored refusal skips that reply.
        """
        await self._connection.execute(
            sa.text("""
UPDATE steps s SET status = 'pending', reason = NULL, reason_code = NULL,
  attempt = CASE WHEN s.status = 'failed' THEN greatest(s.attempt, (
    SELECT coalesce(max(c.attempt), 0) FROM llm_calls c
    WHERE c.execution_id = s.execution_id AND c.step_id = s.step_id AND c.revision = s.revision
      AND c.stop_reason IN ('refusal', 'context_exceeded')
  )) ELSE s.attempt END
WHERE s.execution_id = :id AND s.status = :status
"""),
            {"id": execution_id, "status": status},
        )

    async def accept_last_attempt(self, execution_id: UUID, step_id: str) -> None:
        """A person accepts the step's last output: its stored reply is read again and saved."""
        await self._connection.execute(
            sa.text(
                "UPDATE steps SET status = 'pending', attempt = attempt - 1, accepted = true, reason = NULL, "
                "reason_code = NULL WHERE execution_id = :id AND step_id = :step"
            ),
            {"id": execution_id, "step": step_id},
        )

"""State changes of more than one column: ending a segment, sending steps back, releasing waiting steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from combine.storage.core.database import WriteSession
from combine.storage.core.statements import Statement
from combine.storage.events import Events
from combine.storage.executions import Executions
from combine.storage.hot.outages import NOTIFY

_SEND_BACK = Statement("""
UPDATE steps SET status = 'pending', revision = revision + 1, attempt = 0, accepted = false, guidance = :guidance,
  reason = NULL, reason_code = NULL, finished_at = NULL
WHERE execution_id = :id AND step_id = :step
""")

_COUNT_REVISION = Statement("UPDATE executions SET revision = revision + 1 WHERE id = :id")

_RELEASE_ANSWERED = Statement("""
UPDATE steps s SET status = 'pending', reason = NULL
WHERE s.execution_id = :id AND s.status = 'waiting_for_answers' AND NOT EXISTS (
  SELECT 1 FROM questions q WHERE q.execution_id = s.execution_id AND q.step_id = s.step_id AND q.answer IS NULL)
""")

_RELEASE = Statement("""
UPDATE steps s SET status = 'pending', reason = NULL, reason_code = NULL,
  attempt = CASE WHEN s.status = 'failed' THEN greatest(s.attempt, (
    SELECT coalesce(max(c.attempt), 0) FROM llm_calls c
    WHERE c.execution_id = s.execution_id AND c.step_id = s.step_id AND c.revision = s.revision
      AND c.stop_reason IN ('refusal', 'context_exceeded')
  )) ELSE s.attempt END
WHERE s.execution_id = :id AND s.status = :status
""")

_ACCEPT_LAST = Statement("""
UPDATE steps SET status = 'pending', attempt = attempt - 1, accepted = true, reason = NULL, reason_code = NULL
WHERE execution_id = :id AND step_id = :step
""")


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
        """Set the execution's status, with its event; ``data``: more data for the event than the reason."""
        await Executions(self._session).set_status(execution_id, status, reason=reason, reason_code=reason_code)
        await Events(self._session).append(
            execution_id, f"execution_{status}", data={"reason": reason, "reason_code": reason_code, **(data or {})}
        )

    async def requeue(self, execution_id: UUID, *, by_itself: bool = False) -> int:
        """Queue the execution for its next segment; returns the number of its round.

        ``by_itself``: not requested by a person, so it has the same cause as the last segment.
        """
        executions = Executions(self._session)
        await executions.set_status(execution_id, "queued")
        if not by_itself:
            await executions.caused_by_this_request(execution_id)
        return await executions.next_round(execution_id)

    async def poke(self, execution_id: UUID) -> None:
        """Notify the segment that runs it, in whichever process, once this transaction commits."""
        await Executions(self._session).caused_by_this_request(execution_id)
        await NOTIFY.first(self._connection, id=str(execution_id))

    async def send_back(self, execution_id: UUID, step_ids: Sequence[str], guidance: Mapping[str, str]) -> None:
        """Start a new revision of these steps; ``guidance``: a person's guidance for some of them."""
        for step_id in step_ids:
            await _SEND_BACK.run(self._connection, id=execution_id, step=step_id, guidance=guidance.get(step_id))

    async def count_revision(self, execution_id: UUID) -> None:
        """One more automatic revision of the whole execution."""
        await _COUNT_REVISION.run(self._connection, id=execution_id)

    async def release_answered_steps(self, execution_id: UUID) -> int:
        """Release steps whose questions are all settled; returns how many."""
        return await _RELEASE_ANSWERED.run(self._connection, id=execution_id)

    async def release_steps(self, execution_id: UUID, status: str) -> None:
        """Let steps with this ``status`` run again; paid replies are read again, not requested again.

        A step that failed because of a stored refusal skips that reply.
        """
        await _RELEASE.run(self._connection, id=execution_id, status=status)

    async def accept_last_attempt(self, execution_id: UUID, step_id: str) -> None:
        """A person accepts the step's last output: its stored reply is read again and saved."""
        await _ACCEPT_LAST.run(self._connection, id=execution_id, step=step_id)

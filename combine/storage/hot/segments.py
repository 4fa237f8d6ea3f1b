"""Starts and ends a segment, with few statements, as each costs every execution a round trip."""

from __future__ import annotations

from uuid import UUID

from combine.errors import NotFound, OwnershipLost
from combine.observability.correlation import current_request_id
from combine.storage.core.database import WriteSession
from combine.storage.core.listener import CHANNEL
from combine.storage.core.statements import Statement
from combine.storage.hot.claim import Claim
from combine.storage.hot.numbering import USED_IN_PROJECT

# ruff: noqa: S608 - only the constants of this module and the claim's query are formatted into statements
_NOTIFY = f"pg_notify('{CHANNEL}', event.execution_id || ' ' || event.seq)"

# What the first segment finds in the project is kept: what other executions do later must not change it.
_BEGIN = f"""
-- claim: this process still owns the segment; locked, so that no other process takes over before the commit
WITH claim AS ({{claim}}),
-- execution: this round, if it is not over, waiting or cancelled
execution AS (
  UPDATE executions e SET status = 'running', reason = NULL, reason_code = NULL, finished_at = NULL,
    seq = seq + 1, updated_at = clock_timestamp(),
    previous_ids = coalesce(previous_ids, ARRAY(
      SELECT d.id FROM documents d
      WHERE d.project_id = e.project_id AND d.status = 'active' AND d.type <> 'brief')),
    used_before = coalesce(used_before, ({USED_IN_PROJECT}))
  WHERE id = :execution_id AND round = :round AND status IN ('queued', 'running') AND EXISTS (SELECT 1 FROM claim)
  RETURNING id, seq, round, request_id
),
-- forgotten: calls that a process before this one left open; they may have been answered and billed
forgotten AS (
  UPDATE llm_calls SET state = 'outcome_unknown', finished_at = clock_timestamp()
  WHERE execution_id = (SELECT id FROM execution) AND state = 'intent'
  RETURNING id
),
-- event: only if the segment begins
event AS (
  INSERT INTO events (execution_id, seq, kind, data, request_id)
  SELECT id, seq, 'execution_running',
    jsonb_build_object('round', round, 'outcome_unknown', (SELECT count(*) FROM forgotten)), request_id
  FROM execution RETURNING execution_id, seq
)
SELECT EXISTS (SELECT 1 FROM claim) AS held, (SELECT seq FROM event) AS seq, (SELECT {_NOTIFY} FROM event)
"""

# Whoever completes an execution decides which versions count: one of a project at a time. The locks are a statement
# of their own, as what follows must see what those did for whom it waited.
_HOLD = """
-- claim: as above
WITH claim AS ({claim}),
-- execution: locked first, then its project: the order in which everybody locks them
execution AS (
  SELECT id, project_id, status FROM executions WHERE id = :execution_id AND EXISTS (SELECT 1 FROM claim) FOR UPDATE
),
project AS (
  SELECT id FROM projects WHERE id = (SELECT project_id FROM execution) FOR NO KEY UPDATE
)
SELECT EXISTS (SELECT 1 FROM claim) AS held, (SELECT status FROM execution) AS status, (SELECT id FROM project)
"""

_COMPLETE = Statement(f"""
-- complete: every step is done; without this row nothing below is written
WITH complete AS (
  SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM steps WHERE execution_id = :execution_id AND status <> 'done')
),
-- mine: the versions that the steps made last
mine AS (
  SELECT d.id, d.project_id, d.type FROM complete, steps s JOIN documents d ON d.id = s.document_id
  WHERE s.execution_id = :execution_id
),
-- earlier: what these versions replace: those that were active in the project, and this execution's own earlier drafts
earlier AS (
  UPDATE documents d SET status = 'superseded' FROM mine
  WHERE d.project_id = mine.project_id AND d.type = mine.type AND d.id <> mine.id
    AND (d.status IN ('active', 'stale') OR (d.status = 'draft' AND d.execution_id = :execution_id))
),
-- current: they become active
current AS (
  UPDATE documents d SET status = 'active' FROM mine WHERE d.id = mine.id
),
execution AS (
  UPDATE executions SET status = 'completed', reason = NULL, reason_code = NULL, seq = seq + 1,
    updated_at = clock_timestamp(), finished_at = clock_timestamp()
  WHERE id = :execution_id AND EXISTS (SELECT 1 FROM complete)
  RETURNING id, seq
),
event AS (
  INSERT INTO events (execution_id, seq, kind, data, request_id)
  SELECT id, seq, 'execution_completed', jsonb_build_object('reason', NULL, 'reason_code', NULL),
    cast(:request_id AS text)
  FROM execution RETURNING execution_id, seq
)
SELECT seq, {_NOTIFY} FROM event
""")


class Segments:
    """The statements of a segment's start and end, in the caller's transaction."""

    def __init__(self, session: WriteSession) -> None:
        self._connection = session.connection

    async def begin(self, claim: Claim, execution_id: UUID, round_: int) -> bool:
        """Mark the execution as running, with its event; earlier calls in flight get an unknown outcome.

        False: this round is outdated, or the execution has ended or waits. Raises OwnershipLost.
        """
        begin = claim.statement(_BEGIN)
        row = await begin.one(self._connection, **claim.values, execution_id=execution_id, round=round_)
        if not row.held:
            raise OwnershipLost
        return row.seq is not None

    async def hold(self, claim: Claim, execution_id: UUID) -> str:
        """Lock execution and project until the transaction ends; the execution's status.

        Raises OwnershipLost, NotFound.
        """
        row = await claim.statement(_HOLD).one(self._connection, **claim.values, execution_id=execution_id)
        if not row.held:
            raise OwnershipLost
        if row.status is None:
            raise NotFound(f"There is no execution {execution_id}.", code="execution_not_found")
        return str(row.status)

    async def complete(self, execution_id: UUID) -> bool:
        """If all steps are done: activate their latest documents and complete the execution. False: not all are done.

        Call ``hold`` first.
        """
        completed = await _COMPLETE.first(self._connection, execution_id=execution_id, request_id=current_request_id())
        return completed is not None

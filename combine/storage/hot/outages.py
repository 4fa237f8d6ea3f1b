"""Shared state of executions that wait for an unavailable provider: when to retry, and which of them does.

Three columns of ``executions`` hold it. ``waits_for`` is a plain text that all who wait for the same thing share;
``next_try_at`` and ``tries`` are the same for all of them. One that has been released to see whether it works again,
the probe, keeps ``waits_for`` and has no ``next_try_at``; ``tries`` of 0 in one that waits says that it works again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from combine.storage.core import locks
from combine.storage.core.database import WriteSession
from combine.storage.core.listener import CONTROL_CHANNEL
from combine.storage.core.statements import Statement

FIRST_WAIT_S = 30.0
LONGEST_WAIT_S = 900.0
PROBE_LEASE_S = 900.0
"""After this time without progress of the probe another one is released."""
NOBODY = UUID(int=0)
"""Sent on the control channel when executions can be released, to the process that watches outages."""

NOTIFY = Statement(f"SELECT pg_notify('{CONTROL_CHANNEL}', :id)")
"""Notifies the segment that runs an execution, or the process that watches outages, at commit."""

_LOCK = Statement(f"SELECT pg_advisory_xact_lock({locks.OUTAGE_SCHEDULE}, hashtext(:waits_for))")

# The status is part of it: what failed or was cancelled does not show whether the provider works now.
_SCHEDULE = Statement("""
SELECT coalesce(cast(:now AS timestamptz), clock_timestamp()) AS now, max(next_try_at) AS next_try_at,
       coalesce(max(tries), 0) AS tries
FROM executions
WHERE waits_for = :waits_for AND status IN ('waiting_for_provider', 'queued', 'running')
""")

_SET = Statement("""
UPDATE executions SET waits_for = :waits_for, next_try_at = :next_try_at, tries = :tries
WHERE id = :id OR (waits_for = :waits_for AND status = 'waiting_for_provider')
""")

_OVER = Statement("""
WITH own AS (
  UPDATE executions SET waits_for = NULL, next_try_at = NULL, tries = 0 WHERE id = :id
)
UPDATE executions SET next_try_at = coalesce(cast(:now AS timestamptz), clock_timestamp()), tries = 0
WHERE waits_for = :waits_for AND status = 'waiting_for_provider' AND id <> :id
""")

# For each provider: all executions if it works again, else the oldest if its time has come and no probe is running.
_DUE = Statement("""
WITH moment AS (SELECT coalesce(cast(:now AS timestamptz), clock_timestamp()) AS now),
waiting AS (
  SELECT id, created_at, tries, coalesce(waits_for, '') AS waits_for, next_try_at,
         row_number() OVER (PARTITION BY coalesce(waits_for, '') ORDER BY created_at, id) AS place
  FROM executions WHERE status = 'waiting_for_provider'
)
SELECT w.id, w.waits_for, NOT (w.tries = 0 AND w.next_try_at IS NOT NULL) AS probe
FROM waiting w, moment
WHERE coalesce(w.next_try_at, '-infinity') <= moment.now
  AND ((w.tries = 0 AND w.next_try_at IS NOT NULL) OR (w.place = 1 AND NOT EXISTS (
    SELECT 1 FROM executions p
    WHERE p.waits_for = w.waits_for AND p.status IN ('queued', 'running') AND p.next_try_at IS NULL
      AND p.updated_at > moment.now - make_interval(secs => :lease))))
ORDER BY w.created_at, w.id LIMIT :limit
""")

_TRY_NOW = Statement("""
UPDATE executions SET next_try_at = NULL, tries = CASE WHEN :probe THEN tries ELSE 0 END,
  waits_for = CASE WHEN :probe THEN waits_for END
WHERE id = :id
""")


@dataclass(frozen=True, slots=True)
class NextTry:
    """The time of the next retry, and the number of consecutive failures."""

    at: datetime
    tries: int


@dataclass(frozen=True, slots=True)
class Due:
    """An execution that may continue."""

    execution_id: UUID
    waits_for: str
    probe: bool
    """It runs first, to find out whether the others may follow."""


def wait_s(tries: int) -> float:
    """Seconds until the next retry after that many consecutive failures: 30, 60, 120 ... 900."""
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(tries - 1, 10))


class Outages:
    """Statements in the caller's transaction. ``now`` is the database's clock unless given."""

    def __init__(self, session: WriteSession, *, now: datetime | None = None) -> None:
        self._connection = session.connection
        self._now = now

    async def join(self, execution_id: UUID, waits_for: str, *, at_least_s: float = 0.0) -> NextTry:
        """The execution has run into the outage and waits with the others.

        If they already wait for a future retry, it joins them; else its failure was the retry, and the next one is
        scheduled for all of them. ``at_least_s``: the provider's Retry-After.
        """
        await self._lock(waits_for)
        found = await _SCHEDULE.one(self._connection, waits_for=waits_for, now=self._now)
        ahead = found.next_try_at is not None and found.next_try_at > found.now
        tries = max(found.tries, 1) if ahead else found.tries + 1
        at = found.next_try_at if ahead else found.now + timedelta(seconds=wait_s(tries))
        at = max(at, found.now + timedelta(seconds=at_least_s))
        await _SET.run(self._connection, id=execution_id, waits_for=waits_for, next_try_at=at, tries=tries)
        return NextTry(at, tries)

    async def over(self, execution_id: UUID, waits_for: str) -> None:
        """A call has succeeded: all waiting executions are due, and the watching process is notified at commit."""
        await self._lock(waits_for)
        if await _OVER.run(self._connection, id=execution_id, waits_for=waits_for, now=self._now):
            await NOTIFY.first(self._connection, id=str(NOBODY))

    async def _lock(self, waits_for: str) -> None:
        await _LOCK.first(self._connection, waits_for=waits_for)

    async def due(self, *, limit: int) -> tuple[Due, ...]:
        """Executions that may continue now, oldest first."""
        rows = await _DUE.rows(self._connection, now=self._now, lease=PROBE_LEASE_S, limit=limit)
        return tuple(Due(row.id, row.waits_for, row.probe) for row in rows)

    async def try_now(self, execution_id: UUID, *, probe: bool) -> None:
        """Mark it as about to be released, as the probe or together with the others."""
        await _TRY_NOW.run(self._connection, id=execution_id, probe=probe)

"""Replaces the reservation of a call whose outcome is unknown with the cost that a person records."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from combine.errors import Invalid
from combine.observability.correlation import current_request_id
from combine.storage.core.database import WriteSession
from combine.storage.core.listener import CHANNEL
from combine.storage.core.statements import Statement

# ruff: noqa: S608 - only the channel's name is formatted into the statement

# The call's row first and then the sums in the order execution, project, day: as the statements of the journal take
# them. What changes no sum locks no project and no day.
_SETTLE = Statement(f"""
WITH call AS (
  SELECT id, step_id, cast(:usd AS numeric) - coalesce(reserved_usd, 0) AS more,
    cast(started_at AT TIME ZONE 'UTC' AS date) AS day,
    jsonb_build_object('call_id', id, 'usd', cast(trim_scale(:usd) AS text),
      'was_usd', cast(trim_scale(reserved_usd) AS text)) AS said
  FROM llm_calls WHERE id = :id AND execution_id = :execution_id AND state = 'outcome_unknown'
  FOR NO KEY UPDATE
), settled AS (
  UPDATE llm_calls SET reserved_usd = :usd WHERE id = (SELECT id FROM call)
), execution AS (
  UPDATE executions
  SET reserved_usd = reserved_usd + (SELECT more FROM call), seq = seq + 1, updated_at = clock_timestamp()
  WHERE id = :execution_id AND EXISTS (SELECT 1 FROM call)
  RETURNING seq, project_id
), project AS (
  UPDATE projects SET reserved_usd = reserved_usd + (SELECT more FROM call)
  WHERE id = (SELECT project_id FROM execution) AND (SELECT more FROM call) <> 0
  RETURNING id
), day AS (
  INSERT INTO daily_spending AS d (day, reserved_usd)
  SELECT day, more FROM call WHERE EXISTS (SELECT 1 FROM project)
  ON CONFLICT (day) DO UPDATE SET reserved_usd = d.reserved_usd + excluded.reserved_usd
), event AS (
  INSERT INTO events (execution_id, seq, kind, step_id, data, request_id)
  SELECT :execution_id, execution.seq, 'call_settled', call.step_id, call.said, cast(:request_id AS text)
  FROM execution, call
  RETURNING execution_id, seq, data
)
SELECT data, pg_notify('{CHANNEL}', event.execution_id || ' ' || event.seq) FROM event
""")


# Far below what the columns hold, so that what all others reserve on that day finds room in them.
_ROOM = Statement("""
SELECT max(spent_usd + reserved_usd) <= 90000000 AS room FROM (
  SELECT spent_usd, reserved_usd FROM daily_spending
  UNION ALL SELECT spent_usd, reserved_usd FROM executions WHERE id = :execution_id
) sums
""")


class Settling:
    """The statement, in the caller's transaction."""

    def __init__(self, session: WriteSession) -> None:
        self._connection = session.connection

    async def settle(self, execution_id: UUID, call_id: UUID, usd: Decimal) -> Mapping[str, Any] | None:
        """Count ``usd`` for the call from now on, under every cap; returns the data of the event.

        None: nothing was written, as the execution has no such call of unknown outcome. Raises Invalid if a sum would
        exceed its column.
        """
        values = {"id": call_id, "execution_id": execution_id, "usd": usd, "request_id": current_request_id()}
        try:
            row = await _SETTLE.first(self._connection, **values)
            room = (await _ROOM.one(self._connection, execution_id=execution_id)).room
        except sa.exc.DataError:
            room = False
        if not room:
            raise Invalid(
                f"With {usd:f} USD the totals would exceed the maximum that can be stored.", code="cost_invalid"
            )
        return None if row is None else row.data

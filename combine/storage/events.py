"""Events: what happened to an execution, numbered without gaps in the order of the commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from combine.errors import NotFound
from combine.observability.correlation import current_request_id
from combine.records import Event
from combine.storage.core.database import ReadSession, Trace, WriteSession
from combine.storage.core.rows import build_all, columns
from combine.storage.core.statements import Statement
from combine.storage.core.tables import events, executions

# The row lock on the execution makes the order of the numbers the order of the commits. The channel's name is
# repeated in ``listener.py``.
_APPEND = Statement("""
WITH numbered AS (
  UPDATE executions SET seq = seq + 1 WHERE id = :execution_id RETURNING id, seq
), stored AS (
  INSERT INTO events (execution_id, seq, kind, step_id, data, request_id)
  SELECT id, seq, :kind, :step_id, :data, cast(:request_id AS text) FROM numbered RETURNING execution_id, seq
)
SELECT seq, pg_notify('combine_events', execution_id || ' ' || seq) FROM stored
""")


# One row per segment: from its start to its pause or end, or to the last sign of it, or to now while it runs.
SECONDS_AT_WORK = """
WITH numbered AS (
  SELECT at, kind, count(*) FILTER (WHERE kind = 'execution_running') OVER (ORDER BY seq) AS segment
  FROM events WHERE execution_id = e.id
), segments AS (
  SELECT segment, min(at) AS began, max(at) AS last,
    min(at) FILTER (WHERE starts_with(kind, 'execution_') AND kind <> 'execution_running') AS rested
  FROM numbered WHERE segment > 0 GROUP BY segment
)
SELECT coalesce(sum(extract(epoch FROM coalesce(rested, CASE
    WHEN segment = (SELECT max(segment) FROM segments)
      AND e.status = 'running' THEN clock_timestamp()
    ELSE last END) - began)), 0) FROM segments
"""
"""Running time of the execution ``e``, without the time it waited for people."""


class Events:
    """Every query about events."""

    def __init__(self, session: ReadSession) -> None:
        self._session = session
        self._connection = session.connection

    async def append(
        self, execution_id: UUID, kind: str, step_id: str | None = None, data: Mapping[str, Any] | None = None
    ) -> int:
        """Store the next event and wake the listeners at commit; return its ``seq``. Raises NotFound.

        Call it last in a transaction: from then on the execution's row is locked.
        """
        values = {"execution_id": execution_id, "kind": kind, "step_id": step_id, "data": dict(data or {})}
        values["request_id"] = current_request_id()
        row = await _APPEND.first(self._connection, **values)
        if row is None:
            raise NotFound(f"There is no execution {execution_id}.", code="execution_not_found")
        return int(row.seq)

    async def append_once(
        self, execution_id: UUID, kind: str, step_id: str | None = None, data: Mapping[str, Any] | None = None
    ) -> int:
        """Like ``append``; from then on the transaction is not retried after a commit whose response was lost."""
        seq = await self.append(execution_id, kind, step_id, data)
        number = sa.cast(sa.func.pg_current_xact_id(), sa.Text)
        this = (events.c.execution_id == execution_id, events.c.seq == seq)
        stored = (await self._connection.execute(sa.select(number, events.c.at).where(*this))).one()
        assert isinstance(self._session, WriteSession)  # set, since the transaction has written
        self._session.trace = Trace(stored[0], sa.select(events.c.seq).where(*this, events.c.at == stored[1]))
        return seq

    async def after(self, execution_id: UUID, seq: int = 0, *, limit: int = 500) -> tuple[Event, ...]:
        """Events with numbers higher than ``seq``, in order."""
        query = sa.select(*columns(events, Event)).where(events.c.execution_id == execution_id, events.c.seq > seq)
        return build_all(Event, await self._connection.execute(query.order_by(events.c.seq).limit(limit)))


@dataclass(frozen=True, slots=True)
class Tail:
    """One execution at one moment: its status, and its events after a given number."""

    execution_id: UUID
    status: str
    seq: int
    """The number of its last event at that moment."""
    events: tuple[Event, ...]
    """Events in order; possibly not all of them."""

    @property
    def to_the_end(self) -> bool:
        """Whether all events are included."""
        return not self.events or self.events[-1].seq >= self.seq


_asked_for = (
    sa.func.unnest(
        sa.bindparam("ids", type_=ARRAY(sa.Uuid)),
        sa.bindparam("after", type_=ARRAY(sa.BigInteger)),
    )
    .table_valued(sa.column("id", sa.Uuid), sa.column("after", sa.BigInteger))
    .render_derived(name="asked")
)
_newer = (
    sa.select(*columns(events, Event))
    .where(events.c.execution_id == _asked_for.c.id, events.c.seq > _asked_for.c.after)
    .order_by(events.c.seq)
    .limit(sa.bindparam("limit"))
    .lateral("newer")
)
# One statement, so one snapshot: the status belongs to exactly these events.
_READ_TAILS = (
    sa.select(executions.c.id, executions.c.status, executions.c.seq.label("last_seq"), *_newer.c)
    .select_from(_asked_for.join(executions, executions.c.id == _asked_for.c.id).outerjoin(_newer, sa.true()))
    .order_by(executions.c.id, _newer.c.seq)
)
_EXECUTION_COLUMNS = 3


class EventTails:
    """Reads the latest events of executions."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def read(self, after: Mapping[UUID, int], *, limit: int) -> tuple[Tail, ...]:
        """Up to ``limit`` events of each execution with higher numbers than given; none for an unknown execution."""
        given = {"ids": list(after), "after": list(after.values()), "limit": limit}
        rows = (await self._connection.execute(_READ_TAILS, given)).all()
        return tuple(_tail(list(group)) for _, group in groupby(rows, lambda row: row.id))


def _tail(rows: list[sa.Row[Any]]) -> Tail:
    first = rows[0]
    found = () if first.seq is None else tuple(Event(*row[_EXECUTION_COLUMNS:]) for row in rows)
    return Tail(execution_id=first.id, status=first.status, seq=first.last_seq, events=found)

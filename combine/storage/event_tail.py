"""New events of many executions in one statement, for following them all over one connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from combine.records import Event
from combine.storage.core.database import ReadSession
from combine.storage.core.rows import columns
from combine.storage.core.tables import events, executions


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


_asked = (
    sa.func.unnest(
        sa.bindparam("ids", type_=ARRAY(sa.Uuid)),
        sa.bindparam("after", type_=ARRAY(sa.BigInteger)),
    )
    .table_valued(sa.column("id", sa.Uuid), sa.column("after", sa.BigInteger))
    .render_derived(name="asked")
)
_newer = (
    sa.select(*columns(events, Event))
    .where(events.c.execution_id == _asked.c.id, events.c.seq > _asked.c.after)
    .order_by(events.c.seq)
    .limit(sa.bindparam("limit"))
    .lateral("newer")
)
# One statement, so one snapshot: the status belongs to exactly these events.
_READ = (
    sa.select(executions.c.id, executions.c.status, executions.c.seq.label("last_seq"), *_newer.c)
    .select_from(_asked.join(executions, executions.c.id == _asked.c.id).outerjoin(_newer, sa.true()))
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
        rows = (await self._connection.execute(_READ, given)).all()
        return tuple(_tail(list(group)) for _, group in groupby(rows, lambda row: row.id))


def _tail(rows: list[sa.Row[Any]]) -> Tail:
    first = rows[0]
    found = () if first.seq is None else tuple(Event(*row[_EXECUTION_COLUMNS:]) for row in rows)
    return Tail(execution_id=first.id, status=first.status, seq=first.last_seq, events=found)

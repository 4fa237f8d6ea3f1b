"""The workers and their last heartbeats (by the database's clock)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.storage.core.database import ReadSession
from combine.storage.core.tables import executors


@dataclass(frozen=True, slots=True)
class ExecutorRow:
    """One process."""

    id: str
    kind: str
    queue: str
    host: str
    pid: int
    version: str
    started_at: datetime
    beat_at: datetime
    age: timedelta
    """Time since its last heartbeat."""


_since_beat = sa.func.clock_timestamp() - executors.c.beat_at


class Executors:
    """Every query about processes."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def register(self, executor_id: str, *, kind: str, queue: str, host: str, pid: int, version: str) -> None:
        """Register a process; its first heartbeat."""
        values = {"kind": kind, "queue": queue, "host": host, "pid": pid, "version": version}
        statement = insert(executors).values(id=executor_id, **values)
        beat = {"beat_at": sa.func.clock_timestamp()}
        await self._connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=beat))

    async def beat(self, executor_id: str) -> bool:
        """Store a heartbeat. False: the row is gone, so other processes have declared this one dead."""
        statement = sa.update(executors).where(executors.c.id == executor_id)
        return (await self._connection.execute(statement.values(beat_at=sa.func.clock_timestamp()))).rowcount == 1

    async def remove(self, executor_id: str) -> None:
        """Unregister a process."""
        await self._connection.execute(sa.delete(executors).where(executors.c.id == executor_id))

    async def list(self) -> tuple[ExecutorRow, ...]:
        """All processes, most recent heartbeat first."""
        rows = await self._connection.execute(
            sa.select(executors, _since_beat.label("age")).order_by(executors.c.beat_at.desc())
        )
        return tuple(ExecutorRow(**row._mapping) for row in rows)  # noqa: SLF001 - SQLAlchemy's public name for it

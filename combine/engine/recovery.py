"""Gives the work of dead processes back to the queue, for as long as this process lives.

Open-source DBOS recovers only at launch and only its own executor id, so this is ours. Dead is a process that
has not beaten for ``DEAD_AFTER_S``, that has no row, or whose pid is gone on this very machine.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import sqlalchemy as sa

from combine.engine import dbos_private
from combine.engine.heartbeat import DEAD_AFTER_S, host_name
from combine.storage.database import Database, WriteSession

RECOVER_EVERY_S = 5.0
SHARED_QUEUE = "segments"
SEGMENT_NAME = "segment"
_LOCK = 7_261_001  # one process recovers at a time

_EXECUTORS = """
SELECT id, queue, host, pid, extract(epoch FROM clock_timestamp() - beat_at) AS age FROM executors
"""
_UNKNOWN = """
SELECT DISTINCT executor_id FROM dbos.workflow_status
WHERE name = :workflow AND status = 'PENDING' AND NOT EXISTS (SELECT 1 FROM executors e WHERE e.id = executor_id)
"""

log = logging.getLogger("combine.engine")


@dataclass(frozen=True, slots=True)
class Executors:
    """The processes that share this database, as seen now."""

    alive: tuple[str, ...]
    alive_queues: tuple[str, ...]
    dead: tuple[str, ...]
    dead_queues: tuple[str, ...]


def pid_is_gone(host: str, pid: int) -> bool:
    """True if it ran on this machine and does no more; False if alive, or if we cannot know."""
    if host != host_name():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


async def read_executors(session: WriteSession) -> Executors:
    """Who is alive and who is dead."""
    rows = (await session.connection.execute(sa.text(_EXECUTORS))).all()
    dead = [row for row in rows if row.age > DEAD_AFTER_S or pid_is_gone(row.host, row.pid)]
    gone = {row.id for row in dead}
    alive = [row for row in rows if row.id not in gone]
    return Executors(
        alive=tuple(row.id for row in alive),
        alive_queues=tuple(row.queue for row in alive if row.queue != SHARED_QUEUE),
        dead=tuple(row.id for row in dead),
        dead_queues=tuple(row.queue for row in dead if row.queue != SHARED_QUEUE),
    )


async def recover(session: WriteSession) -> tuple[str, ...]:
    """Return the segments of dead processes to the shared queue; ids of the segments returned."""
    connection = session.connection
    locked = await connection.execute(sa.text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK})
    if not locked.scalar_one():
        return ()
    executors = await read_executors(session)
    unknown = (await connection.execute(sa.text(_UNKNOWN), {"workflow": SEGMENT_NAME})).scalars().all()
    dead = [*executors.dead, *unknown]
    if not dead:
        return ()
    moved = await connection.execute(
        sa.text(dbos_private.HAND_BACK),
        {
            "queue": SHARED_QUEUE,
            "workflow": SEGMENT_NAME,
            "dead": dead,
            "dead_queues": list(executors.dead_queues),
        },
    )
    ids = tuple(moved.scalars().all())
    await connection.execute(sa.text("DELETE FROM executors WHERE id = ANY(:dead)"), {"dead": list(executors.dead)})
    if executors.dead_queues:
        await connection.execute(
            sa.text("DELETE FROM dbos.queues WHERE name = ANY(:queues)"), {"queues": list(executors.dead_queues)}
        )
    return ids


class Recovery:
    """The background task of one process."""

    def __init__(
        self,
        database: Database,
        executor_id: str,
        queue: str,
        *,
        every_s: float = RECOVER_EVERY_S,
        on_recovered: Callable[[tuple[str, ...]], None],
        also: Callable[[], Awaitable[object]] | None = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """``also``: what else is done in each pass. ``pause``: waits for so many seconds, or less."""
        self._database = database
        self._executor_id = executor_id
        self._queue = queue
        self._every_s = every_s
        self._also = also
        self._pause = pause
        self._on_recovered = on_recovered
        self._suspects: frozenset[str] = frozenset()

    async def run(self) -> None:
        """For ever, until cancelled. What fails once, an outage above all, is tried again the next time."""
        while True:
            try:
                await self._once()
            except Exception as error:  # noqa: BLE001 - whatever it is, this must go on
                log.warning("looking for the work of stopped processes failed: %s", error)
            await self._pause(self._every_s)

    async def _once(self) -> None:
        returned = await self._database.transact(recover)
        if returned:
            self._on_recovered(returned)
        await self._sweep_own()
        if self._also is not None:
            await self._also()

    async def _sweep_own(self) -> None:
        """Rows claimed by this process that nothing here runs, seen twice: their dispatch was lost."""
        async with self._database.read() as session:
            rows = await session.connection.execute(
                sa.text(dbos_private.LOST), {"workflow": SEGMENT_NAME, "executor": self._executor_id}
            )
            claimed = frozenset(rows.scalars().all())
        lost = claimed - dbos_private.running_here()
        if confirmed := lost & self._suspects:
            await asyncio.to_thread(dbos_private.hand_back_own, sorted(confirmed), self._executor_id, self._queue)
        self._suspects = lost

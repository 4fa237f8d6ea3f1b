"""Gives the work of dead processes back to the queue, for as long as this process lives.

Open-source DBOS recovers only at launch and only its own executor id, so this is ours. Dead is a process that
has not beaten for ``DEAD_AFTER_S``, that has no row, or whose pid is gone on this very machine.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

import sqlalchemy as sa

from combine.documents.statuses import ExecutionStatus
from combine.engine import dbos_private
from combine.engine.alive import SHARED_QUEUE, read_liveness
from combine.engine.queue import SEGMENT_NAME, Enqueue
from combine.storage.core import locks
from combine.storage.core.database import Database, WriteSession
from combine.storage.executions import Executions
from combine.storage.hot.transitions import Transitions

RECOVER_EVERY_S = 5.0
LOST_AFTER_S = 30.0

_ABANDONED = """
SELECT DISTINCT queue_name FROM dbos.workflow_status
WHERE name = :workflow AND status = 'ENQUEUED' AND queue_name <> :shared
  AND NOT EXISTS (SELECT 1 FROM executors e WHERE e.queue = queue_name)
"""
_UNKNOWN = """
SELECT DISTINCT executor_id FROM dbos.workflow_status
WHERE name = :workflow AND status = 'PENDING' AND NOT EXISTS (SELECT 1 FROM executors e WHERE e.id = executor_id)
"""

log = logging.getLogger("combine.engine")


async def recover(session: WriteSession) -> tuple[str, ...]:
    """Return the segments of dead processes to the shared queue; ids of the segments returned."""
    if not await locks.try_lock(session, locks.RECOVERY):
        return ()
    connection = session.connection
    executors = await read_liveness(session)
    unknown = (await connection.execute(sa.text(_UNKNOWN), {"workflow": SEGMENT_NAME})).scalars().all()
    abandoned = await connection.execute(sa.text(_ABANDONED), {"workflow": SEGMENT_NAME, "shared": SHARED_QUEUE})
    dead, dead_queues = [*executors.dead, *unknown], [*executors.dead_queues, *abandoned.scalars()]
    if not dead and not dead_queues:
        return ()
    moved = await connection.execute(
        sa.text(dbos_private.HAND_BACK),
        {
            "queue": SHARED_QUEUE,
            "workflow": SEGMENT_NAME,
            "dead": dead,
            "dead_queues": dead_queues,
        },
    )
    ids = tuple(moved.scalars().all())
    await connection.execute(sa.text("DELETE FROM executors WHERE id = ANY(:dead)"), {"dead": list(executors.dead)})
    if dead_queues:
        await connection.execute(sa.text("DELETE FROM dbos.queues WHERE name = ANY(:queues)"), {"queues": dead_queues})
    return ids


async def requeue_lost(session: WriteSession, enqueue: Enqueue, *, grace_s: float) -> tuple[str, ...]:
    """Give a next round to executions under way whose segment is gone or over; their ids.

    That should not happen. It would if a row of the queue were deleted, or ended by DBOS and not by us; then the
    execution would say "running" for ever. ``grace_s``: only those in which nothing has happened for so long.
    """
    if not await locks.try_lock(session, locks.RECOVERY):
        return ()
    found = await session.connection.execute(sa.text(dbos_private.WITHOUT_SEGMENT), {"grace_s": grace_s})
    ids: list[UUID] = list(found.scalars())
    for execution_id in ids:
        await enqueue(session, execution_id, await Executions(session).next_round(execution_id))
        await Transitions(session).finish(
            execution_id,
            ExecutionStatus.QUEUED.value,
            reason="It was missing from the queue and has been queued again.",
            reason_code="segment_lost",
        )
    return tuple(map(str, ids))


class Recovery:
    """The background task of one process."""

    def __init__(
        self,
        database: Database,
        executor_id: str,
        queue: str,
        *,
        every_s: float = RECOVER_EVERY_S,
        enqueue: Enqueue,
        on_recovered: Callable[[tuple[str, ...]], None],
        lost_after_s: float = LOST_AFTER_S,
        also: Callable[[], Awaitable[object]] | None = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """``also``: what else is done in each pass. ``pause``: waits for so many seconds, or less."""
        self._database = database
        self._executor_id = executor_id
        self._queue = queue
        self._every_s = every_s
        self._enqueue = enqueue
        self._also = also
        self._pause = pause
        self._on_recovered = on_recovered
        self._lost_after_s = lost_after_s
        self._suspects: frozenset[str] = frozenset()

    async def run(self) -> None:
        """For ever, until cancelled. What fails once, an outage above all, is tried again the next time."""
        while True:
            try:
                await self._once()
            except Exception as error:  # noqa: BLE001 - whatever it is, this must go on
                log.warning("cannot look for the work of stopped processes: %s", error)
            await self._pause(self._every_s)

    async def _once(self) -> None:
        if returned := await self._database.transact(recover):
            self._on_recovered(returned)
        if lost := await self._database.transact(
            lambda session: requeue_lost(session, self._enqueue, grace_s=self._lost_after_s)
        ):
            log.warning("queued executions again that were missing from the queue: %s", ", ".join(lost))
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
            values = {"queue": self._queue, "lost": sorted(confirmed), "executor": self._executor_id}
            await self._database.transact(
                lambda session: session.connection.execute(sa.text(dbos_private.HAND_BACK_OWN), values)
            )
        self._suspects = lost

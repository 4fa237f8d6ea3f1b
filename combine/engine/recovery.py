"""Moves the work of dead processes back to the shared queue, as long as this process runs.

Open-source DBOS recovers only at its launch, and only its own executor id. A process is dead if its last heartbeat is
older than ``DEAD_AFTER_S``, if it has no row, or if it ran on this machine and its pid no longer exists.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from uuid import UUID

import sqlalchemy as sa

from combine.documents.statuses import ExecutionStatus
from combine.engine import dbos_private
from combine.engine.alive import SHARED_QUEUE, read_liveness
from combine.engine.heartbeat import DEAD_AFTER_S
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
    liveness = await read_liveness(session)
    unknown = (await connection.execute(sa.text(_UNKNOWN), {"workflow": SEGMENT_NAME})).scalars().all()
    abandoned = await connection.execute(sa.text(_ABANDONED), {"workflow": SEGMENT_NAME, "shared": SHARED_QUEUE})
    dead, dead_queues = [*liveness.dead, *unknown], [*liveness.dead_queues, *abandoned.scalars()]
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
    await connection.execute(sa.text("DELETE FROM executors WHERE id = ANY(:dead)"), {"dead": list(liveness.dead)})
    if dead_queues:
        await connection.execute(sa.text("DELETE FROM dbos.queues WHERE name = ANY(:queues)"), {"queues": dead_queues})
    return ids


async def requeue_lost(session: WriteSession, enqueue: Enqueue, *, grace_s: float) -> tuple[str, ...]:
    """Enqueue the next round of executions under way whose segment is missing or has ended; their ids.

    This should not happen. Without it, an execution would stay ``running`` forever if a row of the queue were deleted,
    or ended by DBOS. ``grace_s``: only executions in which nothing has happened for this long.
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
    """The background task that recovers, in one process."""

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
        first: Callable[[], Awaitable[object]] | None = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """``first`` and ``also`` are called in each pass, before and after the rest.

        ``pause`` waits between passes for the given seconds, or less.
        """
        self._database = database
        self._executor_id = executor_id
        self._queue = queue
        self._every_s = every_s
        self._enqueue = enqueue
        self._also = also
        self._first = first
        self._pause = pause
        self._on_recovered = on_recovered
        self._lost_after_s = lost_after_s
        self._recover_from = 0.0
        self._suspects: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Recover until cancelled. A pass that fails, above all in an outage, is followed by the next one."""
        while True:
            try:
                await self._once()
            except Exception as error:  # noqa: BLE001 - recovery must continue after any error
                # Others could not send their heartbeat either: they get as long as they would have had.
                self._recover_from = monotonic() + DEAD_AFTER_S
                log.warning("recovery failed, retrying: %s", error)
            await self._pause(self._every_s)

    async def _once(self) -> None:
        if self._first is not None:
            await self._first()
        if monotonic() >= self._recover_from and (returned := await self._database.transact(recover)):
            self._on_recovered(returned)
        if lost := await self._database.transact(
            lambda session: requeue_lost(session, self._enqueue, grace_s=self._lost_after_s)
        ):
            log.warning("queued executions again that were missing from the queue: %s", ", ".join(lost))
        await self._sweep_own()
        if self._also is not None:
            await self._also()

    async def _sweep_own(self) -> None:
        """Rows claimed by this process that it does not run, seen in two passes: their dispatch was lost."""
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

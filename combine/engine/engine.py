"""The durable engine: one DBOS workflow is one segment, and DBOS provides the queue, the claim and the owner token.

There are no DBOS steps. Everything that happened is in our own tables; a segment that runs again reads them and
continues. See docs/rooms/engine.md and decision 0002.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig

from combine.engine import dbos_private, queue
from combine.engine.alive import SHARED_QUEUE
from combine.engine.heartbeat import Heartbeat, exit_fenced
from combine.engine.outages import release_all_due
from combine.engine.queue import APP_NAME, APP_VERSION, SEGMENT_NAME, Adoption, workflow_id
from combine.engine.recovery import Recovery
from combine.errors import DatabaseUnavailable, OwnershipLost
from combine.execution.segment import ReplyKeeper, SegmentRunner
from combine.storage.core import locks
from combine.storage.core.database import Database, WriteSession
from combine.storage.core.faults import mark_disconnects
from combine.storage.core.listener import CONTROL_CHANNEL, QUEUE_CHANNEL, EventListener, Subscription
from combine.storage.core.urls import own_url
from combine.storage.hot.claim import Claim
from combine.storage.hot.outages import NOBODY
from combine.storage.server.beat import BeatConnection

POLL_S = 2.0  # only for lost notifications: whoever enqueues a segment wakes the workers
_TURN_S = 0.1
_COLLECT_AFTER = 20_000, 20, 50  # allocations, and collections of each younger generation
_UNWIND_S = 5.0
_FENCED_TURN_S = 0.2
_SERIALIZER = dbos_private.JsonSerializer()

log = logging.getLogger("combine.engine")


@dataclass(eq=False)
class _Segment:
    """A claimed segment that runs in this process; the room ``execution`` sees it as ``Segment``."""

    engine: Engine
    execution_id: UUID
    round: int
    claim: Claim
    wake: asyncio.Event

    @property
    def draining(self) -> bool:
        return self.engine.draining

    async def enqueue_next(self, session: WriteSession) -> None:
        # The shared queue, because this process is about to stop.
        await self.engine.enqueue(session, self.execution_id, self.round + 1, shared=True)


class Engine:
    """Runs segments in this process, and enqueues them from any transaction.

    Workers share one queue. Any other process (``combine run``) has a private queue, so that it works only on what its
    user asked for; what it leaves unfinished goes to the shared queue.
    """

    def __init__(
        self,
        database: Database,
        listener: EventListener,
        runner: SegmentRunner,
        *,
        kind: str,
        shared: bool,
        replies: ReplyKeeper | None = None,
        version: str,
        concurrency: int = 64,
        drain_grace_s: float = 30.0,
        poll_s: float = POLL_S,
    ) -> None:
        self.executor_id = uuid4().hex
        self.queue = SHARED_QUEUE if shared else f"cli-{self.executor_id}"
        self.draining = False
        self._database = database
        self._url = own_url(database.url)
        self._listener = listener
        self._runner = runner
        self._replies = replies
        self._kind = kind
        self._version = version
        self._concurrency = concurrency
        self._drain_grace_s = drain_grace_s
        self._poll_s = poll_s
        self._heartbeat = Heartbeat(BeatConnection(database.url, self.executor_id), on_fenced=self._end_fenced)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._segments: set[_Segment] = set()
        self._ending: set[asyncio.Task[object]] = set()
        """Segments that have ended, until DBOS has recorded it; otherwise another process would run them again."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._recovery_task: asyncio.Task[None] | None = None
        self._claiming: dbos_private.Claiming | None = None
        self._poked: Subscription | None = None
        """Woken when a provider works again."""
        self._queued: Subscription | None = None
        """Woken when a segment was enqueued in our queue."""
        self._begun = False

    async def start(self) -> None:
        """Start the heartbeat, DBOS and the recovery, and begin to claim segments. Raises DatabaseUnavailable."""
        await self._database.ping()
        self._loop = asyncio.get_running_loop()
        if self._replies is not None:
            await self._replies.take_in()
        # For DBOS's engines, too: it recognises a lost connection by its message, but not every such message.
        mark_disconnects(sa.Engine)
        self._begun = True
        self._heartbeat.start(kind=self._kind, queue=self.queue, version=self._version)
        DBOS(config=self._config())
        self._register_segment()
        DBOS.listen_queues([])
        while not await self._database.transact(self._launch):  # noqa: ASYNC110 - the lock is held by another process
            await asyncio.sleep(_TURN_S)
        self._claiming = dbos_private.Claiming(self.queue, self._concurrency, self._poll_s)
        self._queued = self._listener.subscribe(self.queue, QUEUE_CHANNEL, on_wake=self._claiming.wake)
        shared = self.queue == SHARED_QUEUE
        self._poked = self._listener.subscribe(NOBODY, CONTROL_CHANNEL) if shared else None
        recovery = Recovery(
            self._database,
            self.executor_id,
            self.queue,
            enqueue=partial(self.enqueue, shared=True),
            on_recovered=lambda ids: log.info("recovered segments of stopped processes: %s", ", ".join(ids)),
            # A process with a private queue does only what its user asked for.
            also=self._release_waiting if shared else None,
            first=self._replies.take_in if self._replies is not None else None,
            pause=self._poked.wait if self._poked else asyncio.sleep,
        )
        self._recovery_task = asyncio.create_task(recovery.run(), name="combine-recovery")
        # Collections need not visit what is loaded by now and stays, nor run at each thousand of a step's objects.
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)

    async def drain(self) -> None:
        """Stop claiming, let steps in flight finish within the grace time, hand back the rest. This is final.

        This also cleans up after a start that failed or was cancelled.
        """
        self.draining = True
        if not self._begun:
            return
        if self._claiming is not None:
            await self._claiming.end(_UNWIND_S)
        for segment in self._segments:
            segment.wake.set()
        try:
            await asyncio.wait_for(self._idle.wait(), self._drain_grace_s)
        except TimeoutError:
            tasks = dbos_private.workflow_tasks() - self._ending
            for task in tasks:
                task.cancel()  # the rows stay PENDING; others can take them once our executors row is gone
            if tasks:
                await asyncio.wait(tasks, timeout=_UNWIND_S)  # a reply that has just arrived is still stored
        if self._ending:
            await asyncio.wait(self._ending, timeout=_UNWIND_S)
        if self._recovery_task is not None:
            self._recovery_task.cancel()
            await asyncio.gather(self._recovery_task, return_exceptions=True)
        for subscription in (self._poked, self._queued):
            if subscription is not None:
                subscription.close()
        try:
            await self._empty_queue()
        finally:
            await self._stop_dbos()

    async def enqueue(self, session: WriteSession, execution_id: UUID, round_: int, *, shared: bool = False) -> None:
        """Enqueue one segment in the caller's transaction. The same round twice is one row."""
        await queue.enqueue(session, execution_id, round_, SHARED_QUEUE if shared else self.queue)

    async def adopt(self, session: WriteSession, execution_id: UUID, round_: int) -> Adoption:
        """Take over a segment that is unclaimed, or whose process is dead."""
        if workflow_id(execution_id, round_) in dbos_private.running_here():
            return Adoption.BUSY
        return await queue.adopt(session, execution_id, round_, self.queue, executor_id=self.executor_id)

    def _end_fenced(self) -> None:
        """Stop all work, wait for replies that are nowhere else, end the process. Runs in the heartbeat's thread."""
        assert self._loop is not None
        while self._replies is not None and self._replies.any_unsaved():
            self._loop.call_soon_threadsafe(self._stop_work)
            time.sleep(_FENCED_TURN_S)
        exit_fenced()

    def _stop_work(self) -> None:
        self.draining = True
        for task in dbos_private.workflow_tasks() - self._ending:
            if not task.cancelling():
                task.cancel()

    async def _release_waiting(self) -> None:
        if released := await release_all_due(self._database, self.enqueue):
            log.info("resumed executions that were waiting for a provider: %d", released)

    def _config(self) -> DBOSConfig:
        return {
            "name": APP_NAME,
            "system_database_url": self._url,
            "application_version": APP_VERSION,
            "executor_id": self.executor_id,
            "serializer": _SERIALIZER,
            "log_level": "WARNING",
            "sys_db_pool_size": 5,
        }

    async def _launch(self, session: WriteSession) -> bool:
        """Launch DBOS, one process at a time. False: another process is launching.

        DBOS builds indexes concurrently, which waits for every snapshot. So no process may wait for the lock inside a
        statement: the process that holds the lock would wait for it forever.
        """
        if not await locks.try_lock(session, locks.ENGINE_LAUNCH):
            return False
        # In a transaction, a statement with parameters holds its snapshot until the next one.
        await session.connection.execute(sa.text("SAVEPOINT launch"))
        try:
            DBOS.launch()
        except sa.exc.SQLAlchemyError as error:
            # Not an error that the transaction retries: a second launch of the same instance does nothing.
            raise DatabaseUnavailable(
                f"Could not start the engine on this database: {error}",
                hint="Run `combine doctor` to check the database.",
            ) from error
        return True

    def _register_segment(self) -> None:
        @DBOS.workflow(name=SEGMENT_NAME, max_recovery_attempts=None)
        async def segment(execution_id: str, round_: int) -> str:
            return await self._run(UUID(execution_id), round_)

        _ = segment

    async def _run(self, execution_id: UUID, round_: int) -> str:
        key, owner = dbos_private.current_claim()
        control = self._listener.subscribe(execution_id, CONTROL_CHANNEL)
        claim = Claim(dbos_private.FENCE, {"claim_workflow": key, "claim_owner": owner})
        segment = _Segment(self, execution_id, round_, claim, control.woken)
        self._segments.add(segment)
        self._idle.clear()
        try:
            await self._runner(segment)
        except OwnershipLost:
            raise dbos_private.SegmentTakenOver(key) from None
        except Exception:
            # Its failure could not be written, either (a full disk). DBOS would record an error as final, and the
            # execution would stay "running" forever. A cancelled task stays claimed, and recovery enqueues it again.
            log.exception("segment %s stopped without an outcome; retrying", key)
            raise asyncio.CancelledError from None
        finally:
            control.close()
            self._segments.discard(segment)
            if not self._segments:
                self._idle.set()
        self._mark_ending()
        return "over"

    def _mark_ending(self) -> None:
        if task := asyncio.current_task():
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _empty_queue(self) -> None:
        if self.queue == SHARED_QUEUE or self._queued is None:
            return

        async def hand_over(session: WriteSession) -> None:
            await session.connection.execute(
                sa.text(dbos_private.MOVE_QUEUED), {"queue": SHARED_QUEUE, "of": self.queue}
            )

        await self._database.transact(hand_over)

    async def _stop_dbos(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as own:  # DBOS has replaced the loop's default executor, and shuts it down
            await loop.run_in_executor(own, dbos_private.reset_registry)
            loop.set_default_executor(ThreadPoolExecutor(4))
            await loop.run_in_executor(own, self._heartbeat.stop)

"""The durable engine: one DBOS workflow is one segment, and DBOS is the queue, the claim and the owner token.

There are no DBOS steps. What happened stands in our own tables, and a segment that runs again reads them
and goes on. The reasons are in docs/decisions (engine) and the shapes in docs/rooms/engine.md.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig

from combine.engine import dbos_private, queue
from combine.engine.alive import SHARED_QUEUE
from combine.engine.heartbeat import Heartbeat
from combine.engine.outages import release_all_due
from combine.engine.queue import APP_NAME, APP_VERSION, SEGMENT_NAME, Adoption, workflow_id
from combine.engine.recovery import Recovery
from combine.errors import DatabaseUnavailable, OwnershipLost
from combine.execution.segment import SegmentRunner
from combine.storage.core.database import Database, WriteSession
from combine.storage.core.faults import mark_disconnects
from combine.storage.core.listener import CONTROL_CHANNEL, EventListener, Subscription
from combine.storage.hot.claim import Claim
from combine.storage.hot.outages import NOBODY
from combine.storage.server.beat import BeatConnection

POLL_S = 0.1
SHARED_POLL_S = 0.35  # a worker's idle CPU is this poll; nobody sits and waits for its first segment
_UNWIND_S = 5.0
_SERIALIZER = dbos_private.JsonSerializer()
_LAUNCH_LOCK = 7_261_002  # DBOS migrates at launch; one process at a time

log = logging.getLogger("combine.engine")


@dataclass(eq=False)
class _Segment:
    """See ``execution.segment.Segment``."""

    engine: Engine
    execution_id: UUID
    round: int
    claim: Claim
    wake: asyncio.Event

    @property
    def draining(self) -> bool:
        return self.engine.draining

    async def enqueue_next(self, session: WriteSession) -> None:
        # The shared queue, not this process's own: it is about to stop.
        await self.engine.enqueue(session, self.execution_id, self.round + 1, shared=True)


class Engine:
    """Runs segments in this process, and enqueues them from any transaction.

    A ``worker`` takes from the queue that all share. Any other process (``combine run``) has a queue of its
    own, so that it works on what its person asked for and nothing else; what it leaves behind goes to the
    shared queue.
    """

    def __init__(
        self,
        database: Database,
        listener: EventListener,
        runner: SegmentRunner,
        *,
        kind: str,
        shared: bool,
        version: str,
        concurrency: int = 64,
        drain_grace_s: float = 30.0,
        poll_s: float | None = None,
    ) -> None:
        self.executor_id = uuid4().hex
        self.queue = SHARED_QUEUE if shared else f"cli-{self.executor_id}"
        self.draining = False
        self._database = database
        self._url = database.url
        self._listener = listener
        self._runner = runner
        self._kind = kind
        self._version = version
        self._concurrency = concurrency
        self._drain_grace_s = drain_grace_s
        self._poll_s = poll_s or (SHARED_POLL_S if shared else POLL_S)
        self._client = DBOSClient(
            system_database_url=self._url,
            serializer=_SERIALIZER,
            application_name=APP_NAME,
            lazy=True,
        )
        self._heartbeat = Heartbeat(BeatConnection(database.url, self.executor_id))
        self._segments: set[_Segment] = set()
        self._ending: set[asyncio.Task[object]] = set()
        """Segments that are over, while DBOS writes so; without that row another process runs them once more."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._recovery_task: asyncio.Task[None] | None = None
        self._poked: Subscription | None = None
        """Told when executions wait no longer for a provider."""
        self._begun = False

    async def start(self) -> None:
        """Beat, launch DBOS in this loop, and begin to take segments. Raises Unavailable without a database."""
        await self._database.ping()
        # DBOS's own engines too: it tells a lost connection by the text of the message, and does not know them all.
        mark_disconnects(sa.Engine)
        self._begun = True
        self._heartbeat.start(kind=self._kind, queue=self.queue, version=self._version)
        DBOS(config=self._config())
        self._register_segment()
        DBOS.listen_queues([self.queue])
        while not await self._database.transact(self._launch):  # noqa: ASYNC110 - the other one is another process
            await asyncio.sleep(self._poll_s)
        shared = self.queue == SHARED_QUEUE
        self._poked = self._listener.subscribe(NOBODY, CONTROL_CHANNEL) if shared else None
        recovery = Recovery(
            self._database,
            self.executor_id,
            self.queue,
            enqueue=partial(self.enqueue, shared=True),
            on_recovered=lambda ids: log.info("took back segments of stopped processes: %s", ", ".join(ids)),
            # A process with a queue of its own does only what its person has asked for.
            also=self._release_waiting if shared else None,
            pause=self._poked.wait if self._poked else asyncio.sleep,
        )
        self._recovery_task = asyncio.create_task(recovery.run(), name="combine-recovery")

    async def drain(self) -> None:
        """Stop claiming, let steps in flight end within the grace time, hand back the rest, sign off. Final.

        Also ends what a start that failed or was cancelled has left.
        """
        self.draining = True
        if not self._begun:
            return
        dbos_private.stop_claiming()
        for segment in self._segments:
            segment.wake.set()
        try:
            await asyncio.wait_for(self._idle.wait(), self._drain_grace_s)
        except TimeoutError:
            tasks = dbos_private.workflow_tasks() - self._ending
            for task in tasks:
                task.cancel()  # the row stays PENDING; without our executors row it is free at once
            if tasks:
                await asyncio.wait(tasks, timeout=_UNWIND_S)  # a reply that has just come is still stored
        if self._ending:
            await asyncio.wait(self._ending, timeout=_UNWIND_S)
        if self._recovery_task is not None:
            self._recovery_task.cancel()
            await asyncio.gather(self._recovery_task, return_exceptions=True)
        if self._poked is not None:
            self._poked.close()
        try:
            await self._forget_queue()
        finally:
            await self._stop_dbos()

    async def enqueue(self, session: WriteSession, execution_id: UUID, round_: int, *, shared: bool = False) -> None:
        """Put one segment in the queue, in the caller's transaction. The same round twice is one row."""
        await queue.enqueue(session, execution_id, round_, SHARED_QUEUE if shared else self.queue)

    async def adopt(self, session: WriteSession, execution_id: UUID, round_: int) -> Adoption:
        """Take over the segment of an execution whose process is gone, or that nobody has claimed yet."""
        if workflow_id(execution_id, round_) in dbos_private.running_here():
            return Adoption.BUSY
        return await queue.adopt(session, execution_id, round_, self.queue, executor_id=self.executor_id)

    async def _release_waiting(self) -> None:
        if released := await release_all_due(self._database, self.enqueue):
            log.info("let executions go on that waited for a provider: %d", released)

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
        """Alone among all processes. False: it is another one's turn.

        Waiting inside the statement would hold a snapshot, and DBOS builds indexes concurrently, which waits for
        every snapshot: the one that holds the lock would wait for those that want it, for ever.
        """
        turn = await session.connection.execute(
            sa.text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LAUNCH_LOCK}
        )
        if not turn.scalar_one():
            return False
        await self._register_queue_if_possible(session)
        try:
            DBOS.launch()
        except sa.exc.SQLAlchemyError as error:
            # Not to be tried again by the transaction: a second launch of the same instance does nothing.
            raise DatabaseUnavailable(
                f"The engine could not start on this database: {error}", hint="`combine doctor` looks at the database."
            ) from error
        await DBOS.register_queue_async(
            self.queue, worker_concurrency=self._concurrency, polling_interval_sec=self._poll_s
        )
        return True

    async def _register_queue_if_possible(self, session: WriteSession) -> None:
        """Register before launch: DBOS looks for queues at launch and then once a second.

        On an empty database DBOS has made no table yet, and where its first launch was killed not every column; then
        the first look comes a second later.
        """
        there = await session.connection.execute(sa.text("SELECT to_regclass('dbos.queues')"))
        if there.scalar_one_or_none() is None:
            return
        with suppress(sa.exc.ProgrammingError):  # it goes on with its migrations at launch
            await self._client.register_queue_async(
                self.queue, worker_concurrency=self._concurrency, polling_interval_sec=self._poll_s
            )

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
            # Not even its failure could be written (a full disk). To DBOS an error would be final, with an execution
            # that says "running" for ever; a cancelled task stays claimed, and the sweep queues it again.
            log.exception("segment %s stopped without an outcome; it is tried again", key)
            raise asyncio.CancelledError from None
        finally:
            control.close()
            self._segments.discard(segment)
            if not self._segments:
                self._idle.set()
        self._ends()
        return "over"

    def _ends(self) -> None:
        if task := asyncio.current_task():
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _forget_queue(self) -> None:
        if self.queue == SHARED_QUEUE:
            return

        async def forget(session: WriteSession) -> None:
            if (await session.connection.execute(sa.text("SELECT to_regclass('dbos.queues')"))).scalar() is None:
                return  # the start came not so far
            await session.connection.execute(sa.text(dbos_private.MOVE_QUEUED), {"to": SHARED_QUEUE, "of": self.queue})
            await session.connection.execute(
                sa.text("DELETE FROM dbos.queues WHERE name = :name"), {"name": self.queue}
            )

        await self._database.transact(forget)

    async def _stop_dbos(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as own:  # DBOS shuts the loop's default executor down, which it has replaced
            await loop.run_in_executor(own, dbos_private.reset_registry)
            loop.set_default_executor(ThreadPoolExecutor(4))
            await loop.run_in_executor(own, self._heartbeat.stop)
            await loop.run_in_executor(own, self._client.destroy)

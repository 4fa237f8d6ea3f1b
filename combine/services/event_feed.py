"""Live events for many readers: one task reads new events for all of them, woken by the process's one listener.

A reader first catches up on its own with the events stored before it subscribed. From then on it receives what the
shared task reads. So an event costs one query, however many readers follow, and each reader holds only a bounded
number of references.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from combine.backoff import Backoff
from combine.documents.statuses import ENDED, ExecutionStatus
from combine.errors import NotFound, Unavailable
from combine.records import Event
from combine.storage.core.database import Database, ReadSession
from combine.storage.core.listener import EventListener, Subscription
from combine.storage.events import EventTails, Tail

SWEEP_S = 15.0
"""Interval for checking everything that is followed, in one query: a notification may be lost."""
COALESCE_S = 0.05
MOST_WAITING = 1000
"""Events that may be pending for one reader; beyond that the reader is dropped."""
AT_A_TIME = 200
_CATCH_UP_CONNECTIONS = 4  # readers wait here for a connection, not in the pool, where waiting for a second is an error
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0

_log = logging.getLogger(__name__)


class _Watch:
    """One execution with at least one reader."""

    def __init__(self, execution_id: UUID) -> None:
        self.execution_id = execution_id
        self.readers: set[EventReader] = set()
        self.subscription: Subscription | None = None
        self.seq: int | None = None
        """The last event delivered to the readers; None until the first of them has read something."""


class EventReader:
    """One reader's subscription to the events of one execution; iterate it, or call ``take``.

    It ends when the execution has ended and everything was delivered, when the reader was too slow, and when the
    server stops.
    """

    def __init__(self, feed: EventFeed, watch: _Watch, after_seq: int) -> None:
        self.ended_as: ExecutionStatus | None = None
        """The final status of the execution, once everything was delivered."""
        self.dropped = False
        """It did not take its events fast enough; it may reconnect and continue where it stopped."""
        self._feed = feed
        self._watch = watch
        self._position = after_seq
        self._own: list[Event] = []
        """Events read for this reader only."""
        self._handed: deque[Event] = deque()
        """Events read for all readers, in order; may overlap with ``_own``."""
        self._woken = asyncio.Event()
        self._end: tuple[int, ExecutionStatus] | None = None
        """The last event and the status, if the execution is known to have ended."""
        self._behind = True
        self._cut = False

    async def begin(self) -> None:
        """Read the first events. Raises NotFound, DatabaseUnavailable."""
        tail = await self._feed.read_one(self._watch.execution_id, self._position)
        self._position = min(self._position, tail.seq)  # too high: a restored database
        self._accept(tail)

    @property
    def nothing_left(self) -> bool:
        """Whether the execution has ended and every event was delivered."""
        # An earlier end no longer counts once later events were delivered: the execution was resumed.
        return not self._own and not self._behind and self._end is not None and self._end[0] == self._position

    async def take(self) -> Sequence[Event]:
        """The next events, at least one; waits for it, also while the database is unavailable. Empty: the end.

        May be cancelled and called again without losing an event.
        """
        while not self._cut:
            if events := self._next():
                return events
            if self.nothing_left:
                assert self._end is not None
                self.ended_as = self._end[1]
                break
            if self._behind:
                await self._catch_up()
            else:
                await self._woken.wait()
                self._woken.clear()
        return ()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._one_by_one()

    async def _one_by_one(self) -> AsyncIterator[Event]:
        while events := await self.take():
            for event in events:
                yield event

    def hand(self, events: Sequence[Event], end: tuple[int, ExecutionStatus] | None) -> bool:
        """Receives events read for all. False: too many are pending already, and the reader is dropped."""
        if len(self._handed) + len(events) > self._feed.most_waiting:
            self.dropped = True
            self.cut()
            return False
        self._handed.extend(events)
        self._end = end
        self._woken.set()
        return True

    def cut(self) -> None:
        """End it at once; pending events are not delivered."""
        self._cut = True
        self._own.clear()
        self._handed.clear()
        self._woken.set()

    async def _catch_up(self) -> None:
        try:
            tail = await self._feed.read_one(self._watch.execution_id, self._position)
        except Unavailable:
            await asyncio.sleep(_FIRST_PAUSE_S)
        else:
            self._accept(tail)

    def _accept(self, tail: Tail) -> None:
        self._own = list(tail.events)
        self._end = _end_of(tail)
        # The first reader determines the event after which the shared task delivers.
        first = self._watch.seq is None
        if self._watch.seq is None:
            self._watch.seq = tail.seq
        self._behind = not tail.to_the_end or tail.seq < self._watch.seq
        if first or tail.seq > self._watch.seq:  # there may be more since then, whose notification was missed
            self._feed.look_at(self._watch.execution_id)

    def _next(self) -> Sequence[Event]:
        if self._own:
            events, self._own = self._own, []
            self._position = events[-1].seq
            return events
        events = []
        while self._handed and not self._behind:
            if self._handed[0].seq > self._position + 1:
                self._behind = True  # should not happen, but a gap would be worse than a query
                break
            event = self._handed.popleft()
            if event.seq > self._position:
                self._position = event.seq
                events.append(event)
        return events


class EventFeed:
    """The live events of one process. ``start`` before the first reader, ``close`` before the database closes."""

    def __init__(
        self,
        database: Database,
        listener: EventListener,
        *,
        sweep_s: float = SWEEP_S,
        coalesce_s: float = COALESCE_S,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.most_waiting = most_waiting
        self.dropped = 0
        """Readers that were too slow, since the start."""
        self._database = database
        self._listener = listener
        self._sweep_s = sweep_s
        self._coalesce_s = coalesce_s
        self._watches: dict[UUID, _Watch] = {}
        self._new: set[UUID] = set()
        """Executions that may have new events."""
        self._woken = asyncio.Event()
        self._catching_up = asyncio.Semaphore(_CATCH_UP_CONNECTIONS)
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Start reading in the background."""
        if self._task is None:
            self._task = asyncio.create_task(self._read_for_ever(), name="event-feed")

    async def close(self) -> None:
        """End all subscriptions at once and refuse new ones."""
        self.cut_all()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def cut_all(self) -> None:
        """Like ``close``, without waiting for the background task."""
        self._closed = True
        for watch in self._watches.values():
            for reader in watch.readers:
                reader.cut()

    @property
    def readers(self) -> int:
        """The number of current readers."""
        return sum(len(watch.readers) for watch in self._watches.values())

    @property
    def executions(self) -> int:
        """The number of executions followed now."""
        return len(self._watches)

    @asynccontextmanager
    async def follow(self, execution_id: UUID, after_seq: int = 0) -> AsyncIterator[EventReader]:
        """The events after ``after_seq`` in order, without gaps or duplicates. The caller checks permissions.

        Raises NotFound, DatabaseUnavailable at the start, and Unavailable while the server is stopping.
        """
        if self._closed:
            raise Unavailable("The server is stopping.", code="server_stopping", hint="Try again in a moment.")
        watch = self._watch(execution_id)
        reader = EventReader(self, watch, after_seq)
        watch.readers.add(reader)
        try:
            await reader.begin()
            yield reader
        finally:
            watch.readers.discard(reader)
            self._forget_if_alone(watch)

    async def read_one(self, execution_id: UUID, after_seq: int) -> Tail:
        """Read for one reader that is catching up. Raises NotFound, DatabaseUnavailable."""
        async with self._catching_up:
            tails = await self._read({execution_id: after_seq})
        if not tails:
            raise NotFound(f"There is no execution {execution_id}.", code="execution_not_found")
        return tails[0]

    def look_at(self, execution_id: UUID) -> None:
        """Called when there may be new events."""
        self._new.add(execution_id)
        self._woken.set()

    def _watch(self, execution_id: UUID) -> _Watch:
        watch = self._watches.get(execution_id)
        if watch is None:
            watch = self._watches[execution_id] = _Watch(execution_id)
            watch.subscription = self._listener.subscribe(execution_id, on_wake=lambda: self.look_at(execution_id))
        return watch

    def _forget_if_alone(self, watch: _Watch) -> None:
        if not watch.readers and self._watches.get(watch.execution_id) is watch:
            del self._watches[watch.execution_id]
            assert watch.subscription is not None
            watch.subscription.close()

    async def _read_for_ever(self) -> None:
        clock = asyncio.get_running_loop().time
        last, sweep_at, backoff = 0.0, clock() + self._sweep_s, Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        while True:
            await self._wait(sweep_at - clock())
            await asyncio.sleep(last + self._coalesce_s - clock())  # events in quick succession are read together
            last = clock()
            if last >= sweep_at:
                sweep_at = last + self._sweep_s
                self._new.update(self._watches)
            asked = self._asked()
            try:
                await self._look(asked)
                backoff.reset()
            except Unavailable as error:
                _log.warning("Live events are waiting for the database: %s", error.message)
                await asyncio.sleep(backoff.next_s())
                for execution_id in asked:  # a busy pool does not notify when a connection becomes free
                    self.look_at(execution_id)
            except Exception:  # noqa: BLE001 - the events of the others must continue in any case
                # A bug; readers that reconnect get the error in their own request, where it is reported.
                _log.exception("Live events could not be read; their readers are disconnected")
                self._send_away(asked)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._woken.wait()

    def _asked(self) -> dict[UUID, int]:
        self._woken.clear()
        new, self._new = self._new, set()
        watches = [self._watches[one] for one in new if one in self._watches]
        return {watch.execution_id: watch.seq for watch in watches if watch.seq is not None}

    async def _look(self, asked: Mapping[UUID, int]) -> None:
        if not asked:
            return
        for tail in await self._read(asked):
            watch = self._watches.get(tail.execution_id)
            if watch is None or watch.seq != asked[tail.execution_id]:
                continue  # the readers have left in the meantime, and others subscribed
            self._hand_round(watch, tail)
            if not tail.to_the_end:
                self.look_at(tail.execution_id)

    def _hand_round(self, watch: _Watch, tail: Tail) -> None:
        events = tail.events
        if events:
            watch.seq = events[-1].seq
        end = _end_of(tail)
        if not events and end is None:
            return
        slow = [reader for reader in watch.readers if not reader.hand(events, end)]
        watch.readers.difference_update(slow)
        self.dropped += len(slow)

    def _send_away(self, asked: Mapping[UUID, int]) -> None:
        for watch in [self._watches[one] for one in asked if one in self._watches]:
            for reader in watch.readers:
                reader.cut()

    async def _read(self, after: Mapping[UUID, int]) -> tuple[Tail, ...]:
        async def work(session: ReadSession) -> tuple[Tail, ...]:
            return await EventTails(session).read(after, limit=AT_A_TIME)

        return await self._database.once(work)


def _end_of(tail: Tail) -> tuple[int, ExecutionStatus] | None:
    status = ExecutionStatus(tail.status)
    return (tail.seq, status) if tail.to_the_end and status in ENDED else None

"""One LISTEN connection for the whole process: wakes waiters for the events of an execution, or for a queue.

A wake-up carries no data; the waiter reads the tables. So a lost notification costs time, never an event: after a
reconnect all waiters are woken, and a wait times out.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from combine.backoff import Backoff
from combine.storage.core.urls import KEEPALIVE, libpq_url

CHANNEL = "combine_events"
CONTROL_CHANNEL = "combine_control"
"""Carries the id of an execution that a person has changed; the segment that runs it reacts at once."""

QUEUE_CHANNEL = "combine_queue"
"""Carries the name of the queue in which a segment was enqueued; the workers of that queue poll it at once."""

_CHANNELS = (CHANNEL, CONTROL_CHANNEL, QUEUE_CHANNEL)

_FIRST_DELAY, _LONGEST_DELAY = 0.1, 5.0
_CONNECT_SECONDS = 5
_CHECK_SECONDS = 30.0
_log = logging.getLogger(__name__)


class Subscription:
    """One waiter for one subject. Use it as a context manager, and in a loop: read the tables, then ``wait``.

    Nothing is missed in between: anything stored after the last ``wait`` returned ends the next one at once.
    """

    def __init__(
        self, listener: EventListener, channel: str, subject: str, on_wake: Callable[[], None] | None = None
    ) -> None:
        self._listener = listener
        self._key = (channel, subject)
        self._on_wake = on_wake
        self.woken = asyncio.Event()
        """Set when there may be something new; for waiting on several things at once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def wait(self, timeout: float = 15.0) -> bool:  # noqa: ASYNC109 - a timeout is a regular result here
        """Wait until there may be something new, or ``timeout`` seconds. False: no notification; read anyway."""
        try:
            await asyncio.wait_for(self.woken.wait(), timeout)
        except TimeoutError:
            return False
        finally:
            self.woken.clear()  # before the caller's read, so a later event sets it again
        return True

    def wake(self) -> None:
        """End the current or the next wait."""
        self.woken.set()
        if self._on_wake is not None:
            self._on_wake()

    def close(self) -> None:
        """Stop listening for this subject."""
        self._listener.forget(self._key, self)


class EventListener:
    """Holds the connection and keeps reconnecting, with backoff."""

    def __init__(self, url: str) -> None:
        self._url = libpq_url(url)
        self._waiting: defaultdict[tuple[str, str], set[Subscription]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None
        self._listening = False

    async def start(self) -> None:
        """Start listening in the background. Does not wait for the connection and never fails."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen_for_ever(), name="event-listener")

    async def close(self) -> None:
        """Close the connection and wake all waiters."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        self._wake_all()

    def subscribe(
        self, subject: UUID | str, channel: str = CHANNEL, *, on_wake: Callable[[], None] | None = None
    ) -> Subscription:
        """A waiter for one execution or one queue, effective immediately, even before the connection is established.

        ``on_wake`` is called at each wake-up, for waiting on many subjects at once.
        """
        subscription = Subscription(self, channel, str(subject), on_wake)
        self._waiting[channel, str(subject)].add(subscription)
        return subscription

    def forget(self, key: tuple[str, str], subscription: Subscription) -> None:
        """The opposite of ``subscribe``."""
        waiters = self._waiting.get(key)
        if waiters is not None:
            waiters.discard(subscription)
            if not waiters:
                del self._waiting[key]

    @property
    def is_connected(self) -> bool:
        """Whether the connection is established, as far as is known."""
        return self._listening

    async def _listen_for_ever(self) -> None:
        backoff = Backoff(_FIRST_DELAY, _LONGEST_DELAY)
        while True:
            try:
                await self._listen()
            except psycopg.Error as error:
                if self._listening:
                    backoff.reset()
                self._listening = False
                _log.info("The event listener has lost its connection: %s", str(error).splitlines()[:1])
            await asyncio.sleep(backoff.next_s())

    async def _listen(self) -> None:
        """Listen until the connection is lost; always ends with psycopg.Error."""
        settings: dict[str, str | int | None] = {
            "application_name": "combine-listener",
            "connect_timeout": _CONNECT_SECONDS,
            **KEEPALIVE,
        }
        connection = await psycopg.AsyncConnection.connect(make_conninfo(self._url, **settings), autocommit=True)
        async with connection:
            for channel in _CHANNELS:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            self._listening = True
            self._wake_all()  # what was stored before the connection was established
            while True:
                async for notification in connection.notifies(timeout=_CHECK_SECONDS):
                    self._wake(notification.channel, notification.payload)
                await connection.execute("SELECT 1")  # a dead connection is only noticed when it is used

    def _wake(self, channel: str, payload: str) -> None:
        for subscription in self._waiting.get((channel, payload.partition(" ")[0]), ()):
            subscription.wake()

    def _wake_all(self) -> None:
        for waiters in self._waiting.values():
            for subscription in waiters:
                subscription.wake()

"""Follows the events of an execution on a server across lost connections and server restarts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

import httpx2

from combine.backoff import Backoff
from combine.cli.formatting import duration, short
from combine.cli.ports import Say
from combine.cli.remote.client import API, Client
from combine.documents.statuses import UNDER_WAY, ExecutionStatus
from combine.errors import Unavailable
from combine.records import Event
from combine.services.views import ExecutionDetail

_END: Final = "end"

Look = Callable[[], Awaitable[ExecutionDetail]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Timing, in seconds."""

    first_pause: float = 0.5
    """Before reconnecting; doubled with each further attempt."""
    max_pause: float = 15.0
    patience: float = 600.0
    """How long a server may be unavailable before following gives up."""
    silence: float = 40.0
    """After this long without data the connection counts as dead; the server sends a heartbeat every 15 s."""
    queued: float = 10.0
    """How long an execution may be queued before the user is warned."""


class Following:
    """Yields each event once and in order, until the execution finishes or waits.

    The stream of the server ends only when the execution has finished. Whether it waits is seen by looking at the
    execution: when a stream starts or ends, and at every event that may mean it.
    """

    def __init__(self, client: Client, execution_id: UUID, look: Look, say: Say, pace: Pace | None = None) -> None:
        self._client = client
        self._id = execution_id
        self._look = look
        self._say = say
        self._pace = pace or Pace()
        self._last = 0
        """The number of the last event that was yielded."""
        self._rest_at: int | None = None
        """The number of its last event when it was last seen finished or waiting; None: it was running."""
        self._taken = False
        """Whether a worker has taken it, or the user has been warned that none may be running."""

    async def events(self, after_seq: int) -> AsyncIterator[Event]:
        """Events after that number. Raises Unavailable if the server stays unavailable, and the errors it returns."""
        self._last = after_seq
        backoff = Backoff(self._pace.first_pause, self._pace.max_pause)
        outage = _Outage(self._say, self._pace.patience)
        while True:
            start = self._last
            try:
                async for event in self._until_rest_or_cut():
                    outage.end()
                    yield event
                if await self._rests():
                    return
                outage.end()
            except Unavailable as error:
                outage.add(error)
            if self._last > start:
                backoff.reset()
            await asyncio.sleep(backoff.next_s())

    async def _rests(self) -> bool:
        """Whether the execution has finished or waits, and all of its events have been yielded."""
        detail = await self._look()
        self._rest_at = None if detail.execution.status in UNDER_WAY else detail.seq
        if detail.execution.status is not ExecutionStatus.QUEUED:
            self._taken = True
        return self._is_last(self._last)

    def _is_last(self, seq: int) -> bool:
        return self._rest_at is not None and seq >= self._rest_at

    async def _until_rest_or_cut(self) -> AsyncIterator[Event]:
        """The events of one connection. Ends also when the server ends the stream. Raises Unavailable if it is lost."""
        if await self._rests():
            return
        async with _Stream(self._client, self._id, self._last, self._pace.silence) as stream:
            while True:
                try:
                    async with asyncio.timeout(self._pace.queued):
                        event = await stream.next()
                except TimeoutError:
                    if await self._rests():
                        return
                    self._warn_if_queued()
                    continue
                if event is None:
                    return
                self._last = event.seq
                yield event
                if (_may_rest(event) or self._is_last(event.seq)) and await self._rests():
                    return

    def _warn_if_queued(self) -> None:
        if not self._taken:
            self._taken = True
            self._say(
                f"Execution {short(self._id)} has been queued on {self._client.server} for "
                f"{duration(self._pace.queued)}. Is a worker running there? (combine worker)"
            )


class _Outage:
    """Tracks how long the server has been unavailable, and informs the user."""

    def __init__(self, say: Say, patience_s: float) -> None:
        self._say = say
        self._patience_s = patience_s
        self._since: float | None = None

    def add(self, failure: Unavailable) -> None:
        """A connection failed. Raises ``failure`` if the server has been unavailable for too long."""
        now = asyncio.get_running_loop().time()
        if self._since is None:
            self._since = now
            self._say(
                f"{failure.message} Retrying for up to {duration(self._patience_s)}; the execution continues there."
            )
        elif now - self._since > self._patience_s:
            raise failure

    def end(self) -> None:
        """The server is available."""
        if self._since is not None:
            self._since = None
            self._say("The server is available again.")


def _may_rest(event: Event) -> bool:
    """Whether the execution may have finished or started to wait with this event."""
    return event.kind.startswith("execution_") and event.kind not in {"execution_queued", "execution_running"}


class _Stream:
    """One connection, read by a task, so that waiting for the next event can time out without losing one."""

    def __init__(self, client: Client, execution_id: UUID, after_seq: int, silence_s: float) -> None:
        self._client = client
        self._path = f"{API}/executions/{execution_id}/events"
        self._after = after_seq
        self._silence_s = silence_s
        self._found: deque[Event] = deque()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._read())
        self._task.add_done_callback(lambda _: self._news.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def next(self) -> Event | None:
        """The next event; None at the end of the stream. Raises the error that interrupted it."""
        while not self._found:
            if self._task.done():
                self._task.result()
                return None
            self._news.clear()
            await self._news.wait()
        return self._found.popleft()

    async def _read(self) -> None:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(self._after)}
        try:
            async with self._client.stream(self._path, headers, self._silence_s) as response:
                if response.status_code == httpx2.codes.NO_CONTENT:
                    return
                async for message in httpx2.EventSource(response):
                    if message.event == _END:
                        return
                    if message.data:
                        self._found.append(self._client.read(Event, message.data.encode(), self._path))
                        self._news.set()
        except httpx2.HTTPError as error:
            raise self._client.connection_error(error) from None

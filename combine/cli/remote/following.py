"""The events of one execution at a server, over broken connections and restarts of the server."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

import httpx2

from combine.cli.remote.client import API, Client
from combine.cli.wording import duration, short
from combine.documents.statuses import ExecutionStatus
from combine.errors import Unavailable
from combine.services.views import EventView, ExecutionDetail

_UNDER_WAY: Final = frozenset({ExecutionStatus.QUEUED, ExecutionStatus.RUNNING})
_END: Final = "end"

Report = Callable[[str], None]
Look = Callable[[], Awaitable[ExecutionDetail]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds."""

    first_pause: float = 0.5
    """Before a broken connection is made anew; each further one is twice as long."""
    longest_pause: float = 15.0
    patience: float = 600.0
    """How long a server may be away before the following is given up."""
    silence: float = 40.0
    """Without a word from a server, which says every 15 s that it lives, the connection is taken for dead."""
    queued: float = 10.0
    """How long an execution may wait for a worker before the person is told."""


class Following:
    """Yields each event once and in order, until the execution rests as ``combine watch`` understands it.

    A stream of the server ends only when the execution has ended; that it waits for a person is seen by looking at
    the execution: when a stream begins or ends, and at every event that says so.
    """

    def __init__(self, client: Client, execution_id: UUID, look: Look, say: Report, pace: Pace | None = None) -> None:
        self._client = client
        self._id = execution_id
        self._look = look
        self._say = say
        self._pace = pace or Pace()
        self._last = 0
        """The number of the last event that was handed on."""
        self._rest_at: int | None = None
        """The number of its last event when it was last seen at rest; None: it was at work."""
        self._taken = False
        """Whether something works on it, or the person knows that nothing may."""

    async def events(self, after_seq: int) -> AsyncIterator[EventView]:
        """Events after that number. Raises Unavailable if the server stays away, and whatever it refuses with."""
        self._last = after_seq
        pause, away = self._pace.first_pause, _Away(self._say, self._pace.patience)
        while True:
            begun_at = self._last
            try:
                async for event in self._until_rest_or_cut():
                    away.over()
                    yield event
                if await self._rests():
                    return
                away.over()
            except Unavailable as error:
                away.because(error)
            if self._last > begun_at:
                pause = self._pace.first_pause
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - not all in the same moment
            pause = min(2 * pause, self._pace.longest_pause)

    async def _rests(self) -> bool:
        """Whether the execution rests and all of its events have been handed on."""
        detail = await self._look()
        self._rest_at = None if detail.execution.status in _UNDER_WAY else detail.seq
        if detail.execution.status is not ExecutionStatus.QUEUED:
            self._taken = True
        return self._is_last(self._last)

    def _is_last(self, seq: int) -> bool:
        return self._rest_at is not None and seq >= self._rest_at

    async def _until_rest_or_cut(self) -> AsyncIterator[EventView]:
        """What one connection brings. Ends also when the server ends the stream. Raises Unavailable if it breaks."""
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
                    self._say_that_nothing_works()
                    continue
                if event is None:
                    return
                self._last = event.seq
                yield event
                if (_may_rest(event) or self._is_last(event.seq)) and await self._rests():
                    return

    def _say_that_nothing_works(self) -> None:
        if not self._taken:
            self._taken = True
            self._say(
                f"Execution {short(self._id)} is queued at {self._client.server}, and nothing has taken it for "
                f"{duration(self._pace.queued)}. Does a worker run there? (combine worker)"
            )


class _Away:
    """For how long the server has been away, and what the person knows of it."""

    def __init__(self, say: Report, patience_s: float) -> None:
        self._say = say
        self._patience_s = patience_s
        self._since: float | None = None

    def because(self, failure: Unavailable) -> None:
        """It is away. Raises ``failure`` if it has been for too long."""
        now = asyncio.get_running_loop().time()
        if self._since is None:
            self._since = now
            self._say(f"{failure.message} Trying again for {duration(self._patience_s)}; the execution goes on there.")
        elif now - self._since > self._patience_s:
            raise failure

    def over(self) -> None:
        """It is there."""
        if self._since is not None:
            self._since = None
            self._say("The server answers again.")


def _may_rest(event: EventView) -> bool:
    """Whether the execution may have come to rest with this event."""
    return event.kind.startswith("execution_") and event.kind not in {"execution_queued", "execution_running"}


class _Stream:
    """One connection. A task reads it, so that whoever waits for the next event may stop waiting and lose none."""

    def __init__(self, client: Client, execution_id: UUID, after_seq: int, silence_s: float) -> None:
        self._client = client
        self._path = f"{API}/executions/{execution_id}/events"
        self._after = after_seq
        self._silence_s = silence_s
        self._found: deque[EventView] = deque()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._read())
        self._task.add_done_callback(lambda _: self._news.set())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def next(self) -> EventView | None:
        """The next event; None: the stream is over. Raises what broke it."""
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
                        self._found.append(self._client.read(EventView, message.data.encode(), self._path))
                        self._news.set()
        except httpx2.HTTPError as error:
            raise self._client.broken(error) from None

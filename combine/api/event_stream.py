"""Server-sent events: one reader of the event feed as an HTTP response."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Header, Query, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from combine.api.requests import IntegerText
from combine.errors import CombineError, Unavailable
from combine.records import Event
from combine.services.event_feed import EventFeed, EventReader

ABORT: Final = "combine.abort"
"""An extension of the ASGI scope: closes the connection without waiting for the client to read."""
_HEARTBEAT: Final = b": alive\n\n"
_RETRY_MS: Final = (1000, 5000)  # random in between, so that clients do not all reconnect at the same moment
_MAX_SEQ: Final = 2**63 - 1
_TYPE: Final = "text/event-stream"
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

_MESSAGE: Final = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {"type": "integer"},
    },
}
EVENT_STREAM_RESPONSES: Final[Mapping[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events as they happen: `id` is the event's number, `event` its kind, `data` a JSON object with "
        "seq, at, kind, step_id, data and request_id. The last event, `end`, has no number; its data is the status.",
        "content": {_TYPE: {"schema": _MESSAGE}},
    },
    204: {"description": "The execution has ended and there are no more events."},
}

_log = logging.getLogger(__name__)


async def _after_seq(
    after: Annotated[int, Query(ge=0, le=_MAX_SEQ, description="Only events with a higher number."), IntegerText] = 0,
    last_event_id: Annotated[
        int | None,
        Header(ge=0, le=_MAX_SEQ, description="Same as `after`, sent by browsers; takes precedence over it."),
        IntegerText,
    ] = None,
) -> int:
    return after if last_event_id is None else last_event_id


AfterSeq = Annotated[int, Depends(_after_seq)]


CheckAccess = Callable[[], Awaitable[None]]
"""Raises if the reader is no longer allowed to read."""


@dataclass(frozen=True, slots=True)
class StreamTimings:
    """Times of an open stream, in seconds."""

    heartbeat_s: float = 15.0
    send_s: float = 30.0
    """How long a client may leave data unread."""
    check_access_s: float = 60.0
    """How often a reader's identity and permissions are checked again."""


DEFAULT_TIMINGS = StreamTimings()


async def event_stream(
    feed: EventFeed,
    execution_id: UUID,
    after_seq: int,
    *,
    check_access: CheckAccess,
    slot: AbstractContextManager[None],
    timings: StreamTimings | None = None,
) -> Response:
    """The events of an execution after ``after_seq``. The caller has checked the reader's permissions once.

    ``check_access`` is called repeatedly, as a stream may outlive a token, a session or a membership. ``slot`` is held
    while the stream is open. 204 if there are no more events, so that a browser's EventSource does not reconnect.
    Raises NotFound, Unavailable.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(slot)
        events = await stack.enter_async_context(feed.follow(execution_id, after_seq))
        if events.nothing_left:
            return Response(status_code=204)
        return EventStreamResponse(events, stack.pop_all(), check_access, timings or DEFAULT_TIMINGS)


def stream_headers() -> Response:
    """The response to a HEAD request for a stream."""
    response = Response(None, 200, _HEADERS, _TYPE)
    del response.headers["content-length"]
    return response


class EventStreamResponse(Response):
    """Ends with the execution, the client or the server, and for clients that stop reading or lose access."""

    media_type = _TYPE

    def __init__(
        self, events: EventReader, stack: AsyncExitStack, check_access: CheckAccess, timings: StreamTimings
    ) -> None:
        super().__init__(None, 200, _HEADERS)
        del self.headers["content-length"]
        self._events = events
        self._stack = stack
        self._check_access = check_access
        self._timings = timings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the stream ends."""
        disconnect = asyncio.create_task(self._wait_for_disconnect(receive))
        try:
            async with self._stack:
                await self._write(send)
        except TimeoutError:
            _log.info("An event stream was closed because its client stopped reading")
            if abort := scope.get("extensions", {}).get(ABORT):
                abort["now"]()
        finally:
            disconnect.cancel()
            await asyncio.gather(disconnect, return_exceptions=True)

    async def _wait_for_disconnect(self, receive: Receive) -> None:
        try:
            with suppress(HTTPException):  # a bad request body; the response has begun, so the stream can only end
                while (await receive())["type"] != "http.disconnect":
                    pass
        finally:
            self._events.cut()  # from here on nothing else would notice the disconnect

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await self._part(send, f"retry: {random.randint(*_RETRY_MS)}\n\n".encode())  # noqa: S311 - no secret
        loop = asyncio.get_running_loop()
        checked_at = loop.time()
        while True:
            events = None
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timings.heartbeat_s):
                    events = await self._events.take()
            if loop.time() - checked_at >= self._timings.check_access_s:
                if not await self._has_access():
                    break
                checked_at = loop.time()
            if events is None:
                await self._part(send, _HEARTBEAT)
            elif events:
                await self._part(send, encoded(events))
            else:
                break
        if self._events.ended_as is not None:
            await self._part(send, message("end", {"status": self._events.ended_as.value}))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _has_access(self) -> bool:
        try:
            await self._check_access()
        except Unavailable:
            return True  # it cannot be checked, but no events can be read either
        except (CombineError, HTTPException):
            return False
        return True

    async def _part(self, send: Send, part: bytes) -> None:
        async with asyncio.timeout(self._timings.send_s):
            await send({"type": "http.response.body", "body": part, "more_body": True})


def encoded(events: Sequence[Event]) -> bytes:
    """Events as they are sent."""
    return b"".join([_event(event) for event in events])


def message(kind: str, data: Mapping[str, Any], number: int | None = None) -> bytes:
    """One message; JSON keeps its data on one line."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    begin = "" if number is None else f"id: {number}\n"
    return f"{begin}event: {kind}\ndata: {text}\n\n".encode()


def _event(event: Event) -> bytes:
    data = {
        "seq": event.seq,
        "at": event.at.isoformat(),
        "kind": event.kind,
        "step_id": event.step_id,
        "data": event.data,
        "request_id": event.request_id,
    }
    return message(event.kind, data, event.seq)

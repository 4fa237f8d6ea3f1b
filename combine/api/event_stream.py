"""Server-sent events: one reader of the feed as an HTTP response."""

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

from combine.api.fields import Digits
from combine.errors import CombineError, Unavailable
from combine.records import Event
from combine.services.event_feed import EventFeed, Following

HEARTBEAT_S: Final = 15.0
SEND_S: Final = 30.0
"""How long a client may leave unread what waits for it."""
ASK_AGAIN_S: Final = 60.0
"""After so long a reader is asked again who it is and whether it may see this."""
ABORT: Final = "combine.abort"
"""An extension of the ASGI scope: ends the connection without waiting for the client to read on."""
_HEARTBEAT: Final = b": alive\n\n"
_RETRY_MS: Final = (1000, 5000)  # where in between is chance, so that not everybody comes back in the same moment
_MOST: Final = 2**63 - 1
_TYPE: Final = "text/event-stream"

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
        "description": "Events as they happen: `id` is the number, `event` the kind, `data` a JSON object with seq, at,"
        " kind, step_id, data and request_id. The last one, `end`, has no number and says the status.",
        "content": {_TYPE: {"schema": _MESSAGE}},
    },
    204: {"description": "The execution has ended, and nothing is left to tell."},
}

_log = logging.getLogger(__name__)


async def _after_seq(
    after: Annotated[int, Query(ge=0, le=_MOST, description="Only events with a higher number."), Digits] = 0,
    last_event_id: Annotated[
        int | None,
        Header(ge=0, le=_MOST, description="The same, as browsers send it; it wins over `after`."),
        Digits,
    ] = None,
) -> int:
    return after if last_event_id is None else last_event_id


AfterSeq = Annotated[int, Depends(_after_seq)]


Allowed = Callable[[], Awaitable[None]]
"""Raises if the one who reads may do so no longer."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what is done while a stream is open; in seconds."""

    heartbeat_s: float = HEARTBEAT_S
    send_s: float = SEND_S
    ask_again_s: float = ASK_AGAIN_S


USUAL = Pace()


async def event_stream(
    feed: EventFeed,
    execution_id: UUID,
    after_seq: int,
    *,
    allowed: Allowed,
    seat: AbstractContextManager[None],
    pace: Pace | None = None,
) -> Response:
    """The events of an execution from there on; the caller has seen to the rights at the beginning.

    ``allowed`` is asked again and again, as a stream may outlive a token, a session or a membership. ``seat`` is held
    as long as the stream is open. 204 where nothing is left, so that a browser's EventSource comes back no more. Raises
    NotFound, Unavailable.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(seat)
        events = await stack.enter_async_context(feed.follow(execution_id, after_seq))
        if events.nothing_left:
            return Response(status_code=204)
        return EventStreamResponse(events, stack.pop_all(), allowed, pace or USUAL)


class EventStreamResponse(Response):
    """Ends with the execution, the client, a client that does not read or may not any more, and the server."""

    media_type = _TYPE

    def __init__(self, events: Following, stack: AsyncExitStack, allowed: Allowed, pace: Pace) -> None:
        super().__init__(None, 200, {"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._stack = stack
        self._allowed = allowed
        self._pace = pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        leaving = asyncio.create_task(self._until_gone(receive))
        try:
            async with self._stack:
                await self._write(send)
        except TimeoutError:
            _log.info("A reader of live events does not read; the connection is cut")
            if abort := scope.get("extensions", {}).get(ABORT):
                abort["now"]()
        finally:
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)

    async def _until_gone(self, receive: Receive) -> None:
        try:
            with suppress(HTTPException):  # of an announced body; the answer has begun, so all to do is to end it
                while (await receive())["type"] != "http.disconnect":
                    pass
        finally:
            self._events.cut()  # else nobody would notice any more that the client leaves

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await self._part(send, f"retry: {random.randint(*_RETRY_MS)}\n\n".encode())  # noqa: S311 - no secret
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        while True:
            events = None
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.heartbeat_s):
                    events = await self._events.take()
            if loop.time() - asked_at >= self._pace.ask_again_s:
                if not await self._may_go_on():
                    break
                asked_at = loop.time()
            if events is None:
                await self._part(send, _HEARTBEAT)
            elif events:
                await self._part(send, encoded(events))
            else:
                break
        if self._events.ended_as is not None:
            await self._part(send, message("end", {"status": self._events.ended_as.value}))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _may_go_on(self) -> bool:
        try:
            await self._allowed()
        except Unavailable:
            return True  # nobody can be asked; but nothing can be read either
        except (CombineError, HTTPException):
            return False
        return True

    async def _part(self, send: Send, part: bytes) -> None:
        async with asyncio.timeout(self._pace.send_s):
            await send({"type": "http.response.body", "body": part, "more_body": True})


def encoded(events: Sequence[Event]) -> bytes:
    """Events as they go over the wire."""
    return b"".join([_event(event) for event in events])


def message(kind: str, data: Mapping[str, Any], number: int | None = None) -> bytes:
    """One message; its data stand on one line, whatever they hold."""
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

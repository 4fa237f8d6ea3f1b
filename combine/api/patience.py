"""How much a request may send, and how long it may take: the two middlewares that stand next to the routes."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from combine.api.correlation import route_of
from combine.api.errors import body_late, body_too_large, refuse, took_too_long
from combine.api.event_stream import ABORT

_ENDLESS: Final = b"text/event-stream"

_log = logging.getLogger(__name__)


class BodyLimit:
    """Bounds a body in bytes, announced or not, and in the time that it takes to come."""

    def __init__(self, app: ASGIApp, *, most: int, seconds: float) -> None:
        self._app = app
        self._most = most
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > self._most:
            await refuse(body_too_large(self._most, close="expect" in headers))(scope, receive, send)
            return
        await self._app(scope, _Body(receive, self._most, self._seconds).receive, send)


class _Body:
    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive = receive
        self._most = most
        self._seconds = seconds
        self._size = 0
        self._deadline: float | None = None
        self._whole = False

    async def receive(self) -> Message:
        """The next part. Raises the 413 and the 408, which pass through whoever reads."""
        if self._whole:
            return await self._receive()  # what comes behind the body: that the client has gone
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise body_late(self._seconds) from None
        self._size += len(message.get("body", b""))
        if self._size > self._most:
            raise body_too_large(self._most)
        self._whole = not message.get("more_body", False)
        return message


class TimeLimit:
    """Ends a request that takes too long; one whose answer is an event stream takes as long as it likes."""

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if Headers(raw=message["headers"]).get("content-type", "").startswith(_ENDLESS.decode()):
                    limit.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(self._seconds) as limit:
                await self._app(scope, receive, watched)
        except TimeoutError:
            if not limit.expired():
                raise
            _log.warning("A request to %s was not done within %g s", route_of(scope), self._seconds)
            if not started:
                await refuse(took_too_long(self._seconds))(scope, receive, send)
            elif abort := scope.get("extensions", {}).get(ABORT):
                abort["now"]()

"""Middleware that every request passes, whatever the route: host names, sizes, times, concurrency, headers, HEAD."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from fastapi import Request
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from combine.api.correlation import route_of
from combine.api.errors import (
    HttpError,
    body_timeout,
    body_too_large,
    error_response,
    host_not_allowed,
    nul_in_url,
    origin_not_allowed,
    request_timeout,
    server_busy,
    url_too_long,
)
from combine.api.event_stream import ABORT

MAX_URL_BYTES: Final = 8192
MAX_CONCURRENT_REQUESTS: Final = 5000
"""In one process, including event streams."""
_MONITORING: Final = frozenset({"/health", "/health/ready", "/metrics"})
_ANY_HOST: Final = "/health"  # load balancers use the IP address; a name that a web page has rebound gets no more
_FIRST_ERROR: Final = 400
_HEAD_FLAG: Final = "combine.head"
_HEAD_PATHS: Final = frozenset({"/health", "/health/ready", "/version", "/metrics"})

_log = logging.getLogger(__name__)


class Gate:
    """Refuses requests for unknown hosts, with overlong URLs, or beyond the number of concurrent requests."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], max_concurrent: int) -> None:
        self._app = app
        names = [host.lower() for host in hosts]
        self._hosts = frozenset(name for name in names if not name.startswith("*."))
        self._suffixes = tuple(name[1:] for name in names if name.startswith("*."))
        self._max_concurrent = max_concurrent
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry point."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        error = self._check(scope)
        if error is not None:
            await error_response(error)(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1

    def _check(self, scope: Scope) -> HttpError | None:
        if self._running >= self._max_concurrent and scope["path"] not in _MONITORING:
            return server_busy()
        raw_path, query = scope.get("raw_path") or b"", scope.get("query_string") or b""
        if len(raw_path) + len(query) > MAX_URL_BYTES:
            return url_too_long(MAX_URL_BYTES)
        if b"%00" in raw_path or b"%00" in query or "\0" in scope["path"]:
            return nul_in_url()
        if scope["path"] != _ANY_HOST and not self._is_allowed(Headers(scope=scope).get("host", "")):
            return host_not_allowed()
        return None

    def _is_allowed(self, host: str) -> bool:
        name = name_in_host_header(host)
        return name in self._hosts or (bool(self._suffixes) and name.endswith(self._suffixes))


def name_in_host_header(host: str) -> str:
    """A Host header without its port and without the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


class SecurityHeaders:
    """Adds headers that restrict what browsers do with a response. A header that the route has set stays."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
            (b"referrer-policy", b"same-origin"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cache-control", b"no-store"),
        ]
        if https:
            self._headers.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry point."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                present = {name.lower() for name, _ in given}
                message["headers"] = given + [pair for pair in self._headers if pair[0] not in present]
            await send(message)

        await self._app(scope, receive, with_headers)


class Cors(CORSMiddleware):
    """Starlette's, for pages of other origins that hold a token; errors have our JSON shape."""

    def __init__(self, app: ASGIApp, *, origins: Iterable[str]) -> None:
        super().__init__(
            app,
            allow_origins=tuple(origins),
            allow_methods=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"),
            allow_headers=(
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "If-None-Match",
                "Last-Event-ID",
                "X-Request-ID",
                "traceparent",
            ),
            expose_headers=("ETag", "Idempotency-Replayed", "Location", "Retry-After", "X-Request-ID"),
            allow_credentials=False,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """The response to the OPTIONS request that a browser sends first."""
        response = super().preflight_response(request_headers)
        return response if response.status_code < _FIRST_ERROR else error_response(origin_not_allowed())


def allows_head(path: str) -> bool:
    """Whether HEAD works where GET does. Not on the sign-in pages: a GET there uses up a one-time link."""
    return path.startswith("/api/") or path in _HEAD_PATHS


def is_head(request: Request) -> bool:
    """Whether the body will be dropped. For a route that need not produce it."""
    return _HEAD_FLAG in request.scope


class Heads:
    """HEAD for every GET: the route runs as for GET, and its body is dropped.

    Outside of compression, so that Content-Length is that of the GET.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry point."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or not allows_head(scope["path"]):
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        inner = {**scope, "method": "GET", _HEAD_FLAG: True}
        try:
            await self._app(inner, receive, without_body)
        finally:  # the log line needs the route and the user, which the inner scope has
            scope.update({name: value for name, value in inner.items() if name not in scope})


class TimeLimit:
    """Ends a request that takes too long. An event stream has no limit."""

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry point."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream"):
                    limit.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(self._seconds) as limit:
                await self._app(scope, receive, watched)
        except TimeoutError:
            if not limit.expired():
                raise
            _log.warning("A request to %s timed out after %g s", route_of(scope), self._seconds)
            if not started:
                await error_response(request_timeout(self._seconds))(scope, receive, send)
            elif abort := scope.get("extensions", {}).get(ABORT):
                abort["now"]()


class BodyLimit:
    """Limits a body in bytes, announced or not, and in the time it takes to arrive."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, seconds: float) -> None:
        self._app = app
        self._max = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry point."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > self._max:
            await error_response(body_too_large(self._max, close="expect" in headers))(scope, receive, send)
            return
        await self._app(scope, _LimitedBody(receive, self._max, self._seconds).receive, send)


class _LimitedBody:
    def __init__(self, receive: Receive, max_bytes: int, seconds: float) -> None:
        self._receive = receive
        self._max = max_bytes
        self._seconds = seconds
        self._size = 0
        self._deadline: float | None = None
        self._complete = False

    async def receive(self) -> Message:
        """The next part. Raises the 413 and the 408, which pass through the code that reads the body."""
        if self._complete:
            return await self._receive()  # what follows the body is the client's disconnect
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise body_timeout(self._seconds) from None
        self._size += len(message.get("body", b""))
        if self._size > self._max:
            raise body_too_large(self._max)
        self._complete = not message.get("more_body", False)
        return message

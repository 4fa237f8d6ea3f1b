"""Gives every request an ID, binds it to everything the request causes, and logs one line per request."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

import structlog
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from combine.api.errors import error_response, internal_error
from combine.observability.correlation import caused_by

HEADER: Final = b"x-request-id"
UNMATCHED: Final = "unmatched"
"""Logged as the route if none matched; the path itself is never logged, since it may contain anything."""
_USER: Final = "combine.user_id"
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_QUIET: Final = frozenset({"/health", "/health/ready", "/metrics"})

_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Counts requests."""

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a finished request; ``seconds`` until its response began."""


class Correlation:
    """The outermost middleware that answers, so that responses of other middleware have an ID and a log line too."""

    def __init__(
        self, app: ASGIApp, *, observer: Observer | None = None, clock: Callable[[], float] = perf_counter
    ) -> None:
        self._app = app
        self._observer = observer
        self._clock = clock
        self._request_log = structlog.stdlib.get_logger("combine.requests")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry point."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope)
        response = _TrackedResponse(send, request_id, self._clock)
        began = self._clock()
        with caused_by(request_id):
            try:
                await self._app(scope, receive, response.send)
            except Exception:  # noqa: BLE001 - the last place where the client can still get an error
                _log.exception("A request failed because of a bug")
                if response.status is None:
                    await error_response(internal_error())(scope, receive, response.send)
            finally:
                self._record(scope, response, began)

    def _record(self, scope: Scope, response: _TrackedResponse, began: float) -> None:
        route, ended = route_of(scope), self._clock()
        status = response.status or 0
        fields: dict[str, Any] = {"method": scope["method"], "route": route, "status": status}
        if user_id := scope.get(_USER):
            fields["user"] = user_id
        write = self._request_log.debug if route in _QUIET else self._request_log.info
        write("request", **fields, ms=round((ended - began) * 1000, 1))
        if self._observer is not None:
            self._observer.request(route, scope["method"], status, (response.began_at or ended) - began)


class _TrackedResponse:
    """Adds the request's ID to the response and remembers its status."""

    def __init__(self, send: Send, request_id: str, clock: Callable[[], float]) -> None:
        self.status: int | None = None
        self.began_at: float | None = None
        self._send = send
        self._header = (HEADER, request_id.encode())
        self._clock = clock

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])  # may be an HTTPStatus
            self.began_at = self._clock()
            message["headers"] = [*message.get("headers", ()), self._header]
        await self._send(message)


def request_id_of(scope: Scope) -> str:
    """The client's X-Request-ID if it is usable, else its trace ID, else a new one."""
    found = {name: value for name, value in reversed(scope["headers"]) if name in {HEADER, b"traceparent"}}
    given = found.get(HEADER, b"").decode("latin-1")
    if _ID.fullmatch(given):
        return str(given)
    traced = _TRACEPARENT.fullmatch(found.get(b"traceparent", b"").decode("latin-1"))
    return str(traced[1]) if traced else uuid4().hex


def route_of(scope: Scope) -> str:
    """The template of the matched route: ``/api/v1/executions/{execution_id}``, or ``/static/*`` for files."""
    included = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(included or scope.get("route"), "path_format", None)
    if path is None and "endpoint" in scope and scope.get("root_path"):
        return f"{scope['root_path']}/*"
    return str(path) if path else UNMATCHED


def signed_in(request: Request, user_id: UUID) -> None:
    """Record the user for the request's log line."""
    request.scope[_USER] = str(user_id)

"""Gives every request its id, binds it to whatever the request causes, and writes the one line about it to the log."""

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

from combine.api.errors import internal_error, refuse
from combine.observability.correlation import caused_by

HEADER: Final = b"x-request-id"
UNMATCHED: Final = "unmatched"
"""The route of what led nowhere; its path is never shown, since it may hold anything."""
_USER: Final = "combine.user_id"
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_QUIET: Final = frozenset({"/health", "/health/ready", "/metrics"})

_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Counts requests."""

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One is over; ``seconds`` until its answer began."""


class Correlation:
    """Around all that answers: what other middleware says has an id and a line, too."""

    def __init__(
        self, app: ASGIApp, *, observer: Observer | None = None, clock: Callable[[], float] = perf_counter
    ) -> None:
        self._app = app
        self._observer = observer
        self._clock = clock
        self._line = structlog.stdlib.get_logger("combine.requests")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope)
        answer = _Answer(send, request_id, self._clock)
        began = self._clock()
        with caused_by(request_id):
            try:
                await self._app(scope, receive, answer.send)
            except Exception:  # noqa: BLE001 - the last place where a fault can be told to the client
                _log.exception("A request failed by a fault of ours")
                if answer.status is None:
                    await refuse(internal_error())(scope, receive, answer.send)
            finally:
                self._tell(scope, answer, began)

    def _tell(self, scope: Scope, answer: _Answer, began: float) -> None:
        route, ended = route_of(scope), self._clock()
        status = answer.status or 0
        facts: dict[str, Any] = {"method": scope["method"], "route": route, "status": status}
        if user_id := scope.get(_USER):
            facts["user"] = user_id
        say = self._line.debug if route in _QUIET else self._line.info
        say("request", **facts, ms=round((ended - began) * 1000, 1))
        if self._observer is not None:
            self._observer.request(route, scope["method"], status, (answer.began_at or ended) - began)


class _Answer:
    """Passes the answer on with the request's id, and remembers its status."""

    def __init__(self, send: Send, request_id: str, clock: Callable[[], float]) -> None:
        self.status: int | None = None
        self.began_at: float | None = None
        self._send = send
        self._header = (HEADER, request_id.encode())
        self._clock = clock

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])  # pages name theirs with a word
            self.began_at = self._clock()
            message["headers"] = [*message.get("headers", ()), self._header]
        await self._send(message)


def request_id_of(scope: Scope) -> str:
    """What the client calls the request, if that can be used, else its trace, else an id of ours."""
    found = {name: value for name, value in reversed(scope["headers"]) if name in {HEADER, b"traceparent"}}
    given = found.get(HEADER, b"").decode("latin-1")
    if _ID.fullmatch(given):
        return str(given)
    traced = _TRACEPARENT.fullmatch(found.get(b"traceparent", b"").decode("latin-1"))
    return str(traced[1]) if traced else uuid4().hex


def route_of(scope: Scope) -> str:
    """The template of the route that answered: ``/api/v1/executions/{execution_id}``, or ``/static/*`` of files."""
    included = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(included or scope.get("route"), "path_format", None)
    if path is None and "endpoint" in scope and scope.get("root_path"):
        return f"{scope['root_path']}/*"
    return str(path) if path else UNMATCHED


def signed_in(request: Request, user_id: UUID) -> None:
    """Name who asks, for the request's line in the log."""
    request.scope[_USER] = str(user_id)

"""What every request and every answer goes through, whatever the route: hosts, lengths, headers, how many at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from combine.api.errors import Refusal, host_not_allowed, nul_in_url, origin_not_allowed, refuse, too_busy, url_too_long

LONGEST_URL: Final = 8192
MOST_AT_ONCE: Final = 5000
"""Requests at hand in one process, event streams among them."""
_ANY_HOST: Final = frozenset({"/health", "/health/ready", "/metrics"})  # asked for by address, by those who watch
_REFUSED: Final = 400


class Gate:
    """Lets in what may come in: hosts of ours, URLs of a sane length, so many at once."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], most_at_once: int) -> None:
        self._app = app
        names = [host.lower() for host in hosts]
        self._hosts = frozenset(name for name in names if not name.startswith("*."))
        self._suffixes = tuple(name[1:] for name in names if name.startswith("*."))
        self._most_at_once = most_at_once
        self._at_hand = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refuse(refusal)(scope, receive, send)
            return
        self._at_hand += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._at_hand -= 1

    def _refusal(self, scope: Scope) -> Refusal | None:
        if self._at_hand >= self._most_at_once and scope["path"] not in _ANY_HOST:
            return too_busy()
        raw_path, query = scope.get("raw_path") or b"", scope.get("query_string") or b""
        if len(raw_path) + len(query) > LONGEST_URL:
            return url_too_long(LONGEST_URL)
        if b"%00" in raw_path or b"%00" in query or "\0" in scope["path"]:
            return nul_in_url()
        if scope["path"] not in _ANY_HOST and not self._is_ours(Headers(scope=scope).get("host", "")):
            return host_not_allowed()
        return None

    def _is_ours(self, host: str) -> bool:
        name = host_name(host)
        return name in self._hosts or (bool(self._suffixes) and name.endswith(self._suffixes))


def host_name(host: str) -> str:
    """A Host header without its port, and without the brackets of an address."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


class SecurityHeaders:
    """Tells browsers what an answer is not for. A route that knows better sets a header itself."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = [
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cache-control", b"no-store"),
        ]
        if https:
            self._headers.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                there = {name.lower() for name, _ in given}
                message["headers"] = given + [pair for pair in self._headers if pair[0] not in there]
            await send(message)

        await self._app(scope, receive, with_headers)


class Cors(CORSMiddleware):
    """Starlette's, for pages of other origins that hold a token; its refusals in the one shape of errors."""

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
        """What a browser asks before it sends the request itself."""
        answer = super().preflight_response(request_headers)
        return answer if answer.status_code < _REFUSED else refuse(origin_not_allowed())

"""HEAD wherever the API has GET: the route runs as for a GET, and its answer goes out without the body."""

from __future__ import annotations

from typing import Final

from fastapi import Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_API: Final = "/api/"
_OF_THE_SERVER: Final = frozenset({"/health", "/health/ready", "/version", "/metrics"})
_ASKED: Final = "combine.head"


def takes_head(path: str) -> bool:
    """Whether a GET at this path changes nothing. At the pages of sign-in it does: a link there is good once."""
    return path.startswith(_API) or path in _OF_THE_SERVER


def headers_only(request: Request) -> bool:
    """Whether nobody will read the body. For a route that need not begin it."""
    return _ASKED in request.scope


def stream_headers() -> Response:
    """What stands above live events."""
    response = Response(None, 200, {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}, "text/event-stream")
    del response.headers["content-length"]
    return response


class Heads:
    """Stands around what compresses, so that also the length is that of the GET."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or not takes_head(scope["path"]):
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        within = {**scope, "method": "GET", _ASKED: True}
        try:
            await self._app(within, receive, without_body)
        finally:  # which route it was, and who has asked, for the log
            scope.update({name: value for name, value in within.items() if name not in scope})

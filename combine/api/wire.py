"""uvicorn's HTTP protocol with bounds on what comes before the body; behind a connection that is accepted, all else has
bounds already.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from combine.api.correlation import HEADER
from combine.api.errors import error_bytes
from combine.api.event_stream import ABORT

LARGEST_HEAD: Final = 32 * 1024
HEAD_S: Final = 10.0
"""How long a request line and headers may take to come."""
_FAULTS: Final = {
    HTTPStatus.BAD_REQUEST: ("request_malformed", "This is no HTTP request."),
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: ("headers_too_large", f"Headers are larger than {LARGEST_HEAD} bytes."),
}


class HeadTooLarge(Exception):
    """The parser is to stop."""


class BoundedProtocol(HttpToolsProtocol):
    """Bounds the size of a request's head and the time that it takes to come; its own errors have the one shape."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_size = 0
        self._head_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client may not hold a connection without saying anything."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._head_came()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"now": self.transport.abort}}
        self._head_size = 0
        if self._head_late is None:
            self._expect_head()

    def on_url(self, url: bytes) -> None:
        """A part of the request's line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, whole."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """From here on the middleware watches."""
        self._head_came()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """The head could not be read, or was too large."""
        del msg
        too_large = self._head_size > LARGEST_HEAD
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if too_large else HTTPStatus.BAD_REQUEST
        request_id = uuid4().hex
        body = error_bytes(*_FAULTS[status], {}, request_id)
        headers = {
            b"content-type": b"application/json",
            b"content-length": str(len(body)).encode(),
            b"cache-control": b"no-store",
            b"x-content-type-options": b"nosniff",
            HEADER: request_id.encode(),
            b"connection": b"close",
        }
        lines = [
            name + b": " + value + b"\r\n" for name, value in (*self.server_state.default_headers, *headers.items())
        ]
        self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head_size += size
        if self._head_size > LARGEST_HEAD:
            raise HeadTooLarge

    def _expect_head(self) -> None:
        self._head_late = self.loop.call_later(HEAD_S, self.transport.abort)

    def _head_came(self) -> None:
        if self._head_late is not None:
            self._head_late.cancel()
            self._head_late = None

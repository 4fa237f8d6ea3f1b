"""uvicorn's HTTP protocol with limits on request heads and on bodies that no one reads.

Everything after the head is limited by middleware. uvicorn has no settings for this, so this builds on methods of its
protocol that it does not document; ``tests/unit/api/test_uvicorn_contract.py`` checks each of them.
"""

from __future__ import annotations

import asyncio
import re
import sys
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

from httptools import HttpParserInvalidMethodError
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from combine.api.correlation import HEADER
from combine.api.errors import error_bytes
from combine.api.event_stream import ABORT

MAX_HEAD_BYTES: Final = 32 * 1024
HEAD_TIMEOUT_S: Final = 10.0
"""How long the request line and headers may take to arrive."""
MAX_UNREAD_BYTES: Final = 64 * 1024 * 1024
UNREAD_TIMEOUT_S: Final = 30.0
"""How much, and for how long, a client may keep sending a body that was already answered. Many clients read the
response only after sending the whole body, and lose it if the connection is closed earlier."""
_ERRORS: Final = {
    HTTPStatus.BAD_REQUEST: ("request_malformed", "Malformed HTTP request"),
    HTTPStatus.NOT_IMPLEMENTED: ("method_unknown", "Unknown HTTP method"),
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        "headers_too_large",
        f"Request headers too large; the limit is {MAX_HEAD_BYTES} bytes",
    ),
}
_REQUEST_LINE: Final = re.compile(rb"(?:\A|\n)[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP/1\.[01]\r?\n")


class HeadTooLarge(Exception):
    """Raised inside the parser's callbacks; makes uvicorn answer with ``send_400_response``."""


class LimitedProtocol(HttpToolsProtocol):
    """Limits the head of a request, and the part of a body that no one reads, in size and time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_size = 0
        self._unread = 0
        self._in_body = False
        self._timer: asyncio.TimerHandle | None = None
        self._latest = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """A new connection: the client must send a request in time."""
        super().connection_made(transport)
        self._start_timer(HEAD_TIMEOUT_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Data arrived. It is kept while it is parsed, to distinguish an unknown method from a malformed request."""
        self._latest = data
        super().data_received(data)
        self._latest = b""

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"now": self.transport.abort}}
        self._head_size, self._unread = 0, 0
        if self._timer is None:
            self._start_timer(HEAD_TIMEOUT_S)

    def on_url(self, url: bytes) -> None:
        """A part of the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One complete header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete; from here on middleware applies its limits."""
        self._stop_timer()
        self._in_body = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self.cycle.response_complete:
            self._unread += len(body)
            if self._unread > MAX_UNREAD_BYTES:
                self.transport.abort()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is complete."""
        self._in_body = False
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The response was sent, possibly before the body was received."""
        super().on_response_complete()
        if self._in_body:
            self._start_timer(UNREAD_TIMEOUT_S)

    def send_400_response(self, msg: str) -> None:
        """The head could not be parsed, or was too large."""
        del msg
        status = self._error_status()
        request_id = uuid4().hex
        body = error_bytes(*_ERRORS[status], {}, request_id)
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

    def _error_status(self) -> HTTPStatus:
        if self._head_size > MAX_HEAD_BYTES:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        if isinstance(sys.exception(), HttpParserInvalidMethodError) and _REQUEST_LINE.search(self._latest):
            return HTTPStatus.NOT_IMPLEMENTED
        return HTTPStatus.BAD_REQUEST

    def _count(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MAX_HEAD_BYTES:
            raise HeadTooLarge

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

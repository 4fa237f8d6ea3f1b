"""uvicorn's HTTP protocol with bounds on what comes before the body; behind a connection that is accepted, all else has
bounds already.
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

LARGEST_HEAD: Final = 32 * 1024
HEAD_S: Final = 10.0
"""How long a request line and headers may take to come."""
LARGEST_LEFTOVER: Final = 64 * 1024 * 1024
LEFTOVER_S: Final = 30.0
"""How much and how long a client may go on sending a body that was answered already: until it has sent it, it may not
look at the answer, and a connection that is closed too early loses that."""
_FAULTS: Final = {
    HTTPStatus.BAD_REQUEST: ("request_malformed", "This is no HTTP request."),
    HTTPStatus.NOT_IMPLEMENTED: ("method_unknown", "The server knows no such method."),
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: ("headers_too_large", f"Headers are larger than {LARGEST_HEAD} bytes."),
}
_REQUEST_LINE: Final = re.compile(rb"(?:\A|\n)[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP/1\.[01]\r?\n")


class HeadTooLarge(Exception):
    """The parser is to stop."""


class BoundedProtocol(HttpToolsProtocol):
    """Bounds the head of a request, and what of its body nobody reads, in size and time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_size = 0
        self._leftover = 0
        self._in_body = False
        self._too_late: asyncio.TimerHandle | None = None
        self._latest = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # so has uvicorn
        """A client may not hold a connection without saying anything."""
        super().connection_made(transport)
        self._expect(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """What has come; kept while it is read, to tell an unknown method from what is no request."""
        self._latest = data
        super().data_received(data)
        self._latest = b""

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"now": self.transport.abort}}
        self._head_size, self._leftover = 0, 0
        if self._too_late is None:
            self._expect(HEAD_S)

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
        self._came()
        self._in_body = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self.cycle.response_complete:
            self._leftover += len(body)
            if self._leftover > LARGEST_LEFTOVER:
                self.transport.abort()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is there."""
        self._in_body = False
        self._came()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is out, perhaps before the body was in."""
        super().on_response_complete()
        if self._in_body:
            self._expect(LEFTOVER_S)

    def send_400_response(self, msg: str) -> None:
        """The head could not be read, or was too large."""
        del msg
        status = self._fault()
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

    def _fault(self) -> HTTPStatus:
        if self._head_size > LARGEST_HEAD:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        if isinstance(sys.exception(), HttpParserInvalidMethodError) and _REQUEST_LINE.search(self._latest):
            return HTTPStatus.NOT_IMPLEMENTED
        return HTTPStatus.BAD_REQUEST

    def _count(self, size: int) -> None:
        self._head_size += size
        if self._head_size > LARGEST_HEAD:
            raise HeadTooLarge

    def _expect(self, seconds: float) -> None:
        self._came()
        self._too_late = self.loop.call_later(seconds, self.transport.abort)

    def _came(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

"""A minimal client for event streams, many of them in one process: a socket and a parser in C. Works with gevent."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import httptools

SILENT_S: Final = 40.0
"""A stream that is silent for so long is broken; the server sends a comment every 15 s."""
_CONNECT_S: Final = 10.0
_OK: Final = (200, 204)


class Cut(Exception):
    """The stream ended too early, or the request was rejected."""


@dataclass(frozen=True, slots=True)
class Received:
    """One event."""

    seq: int
    at: float
    """When it was stored, by the database's clock; seconds since 1970."""
    came: float
    """When it arrived, by our clock."""
    ended: bool = False
    """The end of the execution; has no number."""


class EventStream:
    """One request for the events of an execution."""

    def __init__(self, url: str, path: str, token: str) -> None:
        self._where = urlsplit(url)
        self._path = path
        self._token = token
        self._parser = httptools.HttpResponseParser(self)
        self._socket: socket.socket | None = None
        self._rest = b""
        self._whole: deque[bytes] = deque()
        self._has_headers = False
        self._is_over = False

    def on_headers_complete(self) -> None:
        """Called by the parser after the headers."""
        self._has_headers = True

    def on_body(self, data: bytes) -> None:
        """Called by the parser for each part of the body."""
        *whole, self._rest = (self._rest + data).split(b"\n\n")
        self._whole.extend(whole)

    def on_message_complete(self) -> None:
        """Called by the parser at the end of the response."""
        self._is_over = True

    def open(self, after: int = 0) -> int:
        """Send the request; returns 200, or 204 if there are no more events. Raises Cut, OSError."""
        tls = self._where.scheme == "https"
        host, port = self._where.hostname or "", self._where.port or (443 if tls else 80)
        self._socket = socket.create_connection((host, port), _CONNECT_S)
        self._socket.settimeout(SILENT_S)
        if tls:
            self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=host)
        lines = [
            f"GET {self._path} HTTP/1.1",
            f"Host: {self._where.netloc}",
            f"Authorization: Bearer {self._token}",
            "Accept: text/event-stream",
            *([f"Last-Event-ID: {after}"] if after else []),
        ]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        while not self._has_headers:
            self._receive()
        status = int(self._parser.get_status_code())
        if status not in _OK:
            raise Cut(f"{status} instead of 200")
        return status

    def received(self) -> Iterator[Received]:
        """The events, as they arrive. Raises Cut if the connection breaks, OSError if it is silent."""
        while True:
            while not self._whole:
                if self._is_over:
                    return
                self._receive()
            came = time.time()
            while self._whole:
                if (event := _read(self._whole.popleft(), came)) is not None:
                    yield event

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()

    def _receive(self) -> None:
        assert self._socket is not None  # it is open
        data = self._socket.recv(65_536)
        if not data:
            raise Cut("the connection was interrupted")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise Cut(f"invalid HTTP response: {error}") from None


def _read(message: bytes, came: float) -> Received | None:
    """Parse one message. None: a comment, or the advice when to reconnect."""
    fields = dict(line.partition(": ")[::2] for line in message.decode().split("\n"))
    if fields.get("event") == "end":
        return Received(0, came, came, ended=True)
    if "id" not in fields:
        return None
    data = json.loads(fields["data"])
    return Received(data["seq"], datetime.fromisoformat(data["at"]).timestamp(), came)

"""HTTP load from a separate process, with little overhead of its own. Prints one JSON object.

``rate``: GET requests at a constant rate, whatever the responses do (open loop). Response times are measured from the
moment a request was due, so that a server that stalls cannot hide it (no coordinated omission).
``streams``: holds event streams open and records when each event arrived; the events are parsed only after the end.

Uses sockets and a parser in C (httptools), not an HTTP client. The token is in COMBINE_TOKEN.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import time
from collections import deque
from datetime import datetime
from itertools import cycle, islice
from typing import Any
from urllib.parse import urlsplit

import httptools

AT_ONCE = 20  # streams that are being opened at once


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request at a time."""

    def __init__(self, load: Any) -> None:
        self.load = load
        self.due = 0.0
        self.body: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.status.done():
            self.status.set_result(0)
        self.load.lost(self)

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self.parser = httptools.HttpResponseParser(self)
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_headers_complete(self) -> None:
        if not self.status.done():
            self.status.set_result(self.parser.get_status_code())

    def on_body(self, data: bytes) -> None:
        self.load.part(self, data)

    def on_message_complete(self) -> None:
        self.load.done(self, self.parser.get_status_code())


class Rate:
    """Requests the paths in turn, at a constant rate, over a limited number of connections."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.period, self.count, self.connections = 1 / given.rate, round(given.rate * given.seconds), given.connections
        self.requests = [request(path, gzip=given.gzip) for path in given.paths]
        self.idle: deque[Connection] = deque()
        self.waiting: deque[tuple[bytes, float]] = deque()
        self.took: list[float] = []
        self.late: list[float] = []
        self.statuses: dict[int, int] = {}
        self.bytes = 0
        self.lost_ones = 0
        self.all_done = asyncio.Event()

    async def run(self, host: str, port: int) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        for _ in range(self.connections):
            _, connection = await loop.create_connection(lambda: Connection(self), host, port)
            self.idle.append(connection)
        begin = loop.time() + 0.2
        requests = cycle(self.requests)
        for number in range(self.count):
            due = begin + number * self.period
            while (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            self.late.append(loop.time() - due)
            self.ask(next(requests), due)
        try:
            async with asyncio.timeout(30):
                await self.all_done.wait()
        except TimeoutError:
            pass
        return {
            "asked": self.count,
            "answered": len(self.took),
            "seconds": loop.time() - begin,
            "statuses": self.statuses,
            "lost": self.lost_ones,
            "bytes": self.bytes / max(1, len(self.took)),
            "ms": [round(1000 * one, 3) for one in self.took],
            "late_ms": [round(1000 * one, 3) for one in self.late],
        }

    def ask(self, raw: bytes, due: float) -> None:
        if self.idle:
            self.idle.popleft().send(raw, due)
        else:
            self.waiting.append((raw, due))

    def part(self, _: Connection, data: bytes) -> None:
        self.bytes += len(data)

    def done(self, connection: Connection, status: int) -> None:
        self.took.append(asyncio.get_running_loop().time() - connection.due)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if self.waiting:
            connection.send(*self.waiting.popleft())
        else:
            self.idle.append(connection)
        if len(self.took) == self.count:
            self.all_done.set()

    def lost(self, _: Connection) -> None:
        self.lost_ones += 1


class Streams:
    """Event streams, held open until standard input ends."""

    def __init__(self, streams: int, paths: list[str]) -> None:
        self.requests = list(islice(cycle([request(path) for path in paths]), streams))
        self.came: list[tuple[int, float, bytes]] = []
        self.numbers: dict[Connection, int] = {}
        self.kept: dict[Connection, bytes] = {}
        self.ended = 0
        self.refused = 0
        self.closing = False

    async def run(self, host: str, port: int) -> dict[str, Any]:
        at_once = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(self.open(number, at_once, host, port) for number in range(len(self.requests))))
        print("open", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        self.closing = True
        for connection in self.numbers:
            connection.transport.abort()
        return {"open": len(self.numbers), "ended": self.ended, "refused": self.refused, **self.judged()}

    async def open(self, number: int, at_once: asyncio.Semaphore, host: str, port: int) -> None:
        """Open one stream; retries while the server is busy."""
        loop = asyncio.get_running_loop()
        while True:
            async with at_once:
                _, connection = await loop.create_connection(lambda: Connection(self), host, port)
                connection.send(self.requests[number], 0.0)
                status = await connection.status
                if status == 200:
                    self.numbers[connection] = number
                    return
                connection.transport.abort()
            self.refused += 1
            if status != 503:
                sys.exit(f"a stream is refused: {status}")
            await asyncio.sleep(1)

    def part(self, connection: Connection, data: bytes) -> None:
        *whole, rest = (self.kept.get(connection, b"") + data).split(b"\n\n")
        self.kept[connection] = rest
        now = time.time()
        self.came.extend((id(connection), now, one) for one in whole if one.startswith(b"id:"))

    def done(self, *_: Any) -> None:
        pass

    def lost(self, connection: Connection) -> None:
        self.ended += connection in self.numbers and not self.closing

    def judged(self) -> dict[str, Any]:
        """Gaps, repeats and latencies of the events, from the time at which each was stored."""
        last: dict[int, int] = {}
        gaps = repeats = 0
        took = []
        for stream, moment, message in self.came:
            data = json.loads(message.partition(b"data: ")[2])
            seq = data["seq"]
            expected = last.get(stream, 0) + 1
            gaps += seq > expected
            repeats += seq < expected
            last[stream] = max(seq, last.get(stream, 0))
            if data["kind"] == "tick":
                took.append(round(1000 * (moment - datetime.fromisoformat(data["at"]).timestamp()), 3))
        return {"events": len(took), "gaps": gaps, "repeats": repeats, "ms": took, "streams_with_events": len(last)}


def request(path: str, *, gzip: bool = False) -> bytes:
    """A request without a cookie and without a body."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {os.environ.get('COMBINE_TOKEN', '')}"]
    return "\r\n".join([*lines, "Accept: */*", *(["Accept-Encoding: gzip"] if gzip else []), "", ""]).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["rate", "streams"])
    parser.add_argument("url")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--gzip", action="store_true", help="request compressed responses")
    parser.add_argument("--streams", type=int, default=500)
    given = parser.parse_args()
    where = urlsplit(given.url)
    assert where.hostname is not None
    assert where.port is not None

    async def run() -> dict[str, Any]:
        if given.kind == "rate":
            return await Rate(given).run(where.hostname, where.port)
        return await Streams(given.streams, given.paths).run(where.hostname, where.port)

    begin = time.perf_counter()
    found = asyncio.run(run())
    used = resource.getrusage(resource.RUSAGE_SELF)
    found["cpu_s"] = used.ru_utime + used.ru_stime
    found["wall_s"] = time.perf_counter() - begin
    print(json.dumps(found))


if __name__ == "__main__":
    main()

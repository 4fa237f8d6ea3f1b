"""An event stream whose request announces a body: nobody reads it, but it must not keep the stream open."""

from __future__ import annotations

import asyncio
import gc
import socket
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from api_house import until
from api_server import api_server
from api_world import World

from combine.api import event_stream
from combine.api.event_stream import StreamTimings

MOST = 1024
BODIES = {
    "never comes": (b"Content-Length: 5\r\n\r\n", b""),
    "is too large": (b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%s\r\n" % (2 * MOST, b"x" * 2 * MOST)),
}
LAST = b"\r\n0\r\n\r\n"
ENOUGH = 100
"""Heartbeats, for much longer than the body timeout."""


@pytest.fixture
def server(monkeypatch, database_url):
    monkeypatch.setattr(event_stream, "DEFAULT_TIMINGS", StreamTimings(heartbeat_s=0.05))
    with api_server(database_url, body_timeout=timedelta(seconds=0.2), max_body_bytes=MOST) as running:
        yield running


async def nobody_waits():
    """Whether no task is waiting for a disconnect."""
    return not [task for task in asyncio.all_tasks() if task.get_coro().__name__ == "_until_gone"]


@pytest.mark.parametrize("body", BODIES)
def test_a_stream_ends_when_its_body(server, caplog, body):
    world = World(server)
    reader = world.person("reader")
    execution_id = world.asking(world.project("ours", {reader.id: "viewer"}))
    announced, sent = BODIES[body]
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as client:
        head = f"GET /api/v1/executions/{execution_id}/events HTTP/1.1\r\nHost: localhost\r\n"
        client.sendall(f"{head}Authorization: Bearer {reader.token}\r\n".encode() + announced)
        read = b""
        while b"retry: " not in read:  # from here on the stream is open
            read += client.recv(4096)
        client.sendall(sent)
        while not read.endswith(LAST) and read.count(b": alive") < ENOUGH:
            read += client.recv(4096)
    assert read.startswith(b"HTTP/1.1 200 ")
    assert read.endswith(LAST)
    assert b"event: end" not in read  # so that a browser reconnects
    server.do(until(lambda: server.serving.feed.readers == 0))
    server.do(until(nobody_waits))
    assert server.serving.feed.executions == 0
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []

"""Event streams over real HTTP, as a browser gets them."""

import asyncio
import socket
from contextlib import AsyncExitStack, nullcontext, suppress
from uuid import UUID, uuid4

import httpx2
import pytest
from api_house import HandMoved, live_server, messages, until
from fastapi import APIRouter, Response
from pydantic import SecretStr

from combine.api import health
from combine.api.caller import TheShell
from combine.api.event_stream import EVENT_STREAM_RESPONSES, AfterSeq, StreamTimings, event_stream
from combine.bootstrap.serving import open_serving
from combine.main import create_app
from combine.observability.correlation import caused_by
from combine.storage.core.database import PATIENCE

HEARTBEAT_S, SEND_S = 0.1, 0.5
router = APIRouter()


@router.get("/streams/{execution_id}", response_class=Response, responses=EVENT_STREAM_RESPONSES)
async def stream(execution_id: UUID, after: AfterSeq, shell: TheShell) -> Response:
    async def always():
        pass

    timings = StreamTimings(HEARTBEAT_S, SEND_S)
    return await event_stream(
        shell.serving.feed, execution_id, after, check_access=always, slot=nullcontext(), timings=timings
    )


@pytest.fixture
async def serving(settings):
    async with open_serving(settings, print) as opened:
        await until(lambda: opened.listener.is_connected)
        yield opened


@pytest.fixture
async def live(settings, serving):
    async with live_server(create_app(settings, serving=serving, routers=(health.router, router))) as running:
        yield running


@pytest.fixture
def moved(serving) -> HandMoved:
    return HandMoved(serving.database)


async def read(client, path, enough=None, **headers):
    """The messages up to the end, or this many events; without heartbeats."""
    found = []
    async with client.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200
        async for message in messages(response):
            if message.event:
                found.append(message)
            if len(found) == enough:
                break
    return found


async def test_a_stream_from_the_first_event_to_the_last(live, moved):
    execution_id = await moved.new()
    with caused_by("request-1"):
        await moved.event(execution_id, "answered")
    async with live.client() as client:
        reading = asyncio.create_task(read(client, f"/streams/{execution_id}"))
        await until(lambda: moved.database and live.http.server_state.tasks)
        await moved.status(execution_id, "completed")
        first, second, end = await reading
    assert (first.id, first.event) == ("1", "answered")
    assert first.json | {"at": ""} == {
        "seq": 1,
        "at": "",
        "kind": "answered",
        "step_id": None,
        "data": {"n": "answered"},
        "request_id": "request-1",
    }
    assert (second.id, second.event, second.json["request_id"]) == ("2", "execution_completed", None)
    assert (end.id, end.event, end.json) == (None, "end", {"status": "completed"})


async def test_the_headers_of_a_stream(live, moved):
    execution_id = await moved.new()
    async with live.client() as client, client.stream("GET", f"/streams/{execution_id}") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["x-request-id"]
        assert "content-encoding" not in response.headers
        first = await anext(messages(response))
        assert 1000 <= int(first.retry) <= 5000


async def test_a_client_that_reconnects_gets_each_event_once(live, moved):
    execution_id = await moved.new()
    writing = asyncio.create_task(moved.event(execution_id, times=60))
    seen = []
    async with live.client() as client:
        while len(seen) < 60:
            more = await read(client, f"/streams/{execution_id}", enough=7, **{"Last-Event-ID": str(len(seen))})
            seen += [int(one.id) for one in more]
            if len(seen) >= 56:
                break
        await writing
        await moved.status(execution_id, "cancelled")
        rest = await read(client, f"/streams/{execution_id}?after=3", **{"Last-Event-ID": str(len(seen))})
    seen += [int(one.id) for one in rest if one.id]
    assert seen == list(range(1, 62))
    assert rest[-1].json == {"status": "cancelled"}


async def test_an_ended_execution_that_was_read_is_a_204(live, moved):
    execution_id = await moved.new()
    await moved.status(execution_id, "failed")
    async with live.client() as client:
        answer = await client.get(f"/streams/{execution_id}", headers={"Last-Event-ID": "1"})
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await client.get(f"/streams/{execution_id}?after=1")).status_code == 204
        assert [one.event for one in await read(client, f"/streams/{execution_id}")] == ["execution_failed", "end"]


@pytest.mark.parametrize("given", ["-1", "x", "1.5", str(2**63), ""])
async def test_an_invalid_event_number(live, given):
    async with live.client() as client:
        for answer in (
            await client.get(f"/streams/{uuid4()}", headers={"Last-Event-ID": given}),
            await client.get(f"/streams/{uuid4()}", params={"after": given}),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "request_invalid")


async def test_no_such_execution(live):
    async with live.client() as client:
        answer = await client.get(f"/streams/{uuid4()}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "execution_not_found")


async def test_heartbeats_while_nothing_happens(live, moved):
    execution_id = await moved.new()
    async with live.client() as client, client.stream("GET", f"/streams/{execution_id}") as response:
        comments = []
        async for message in messages(response):
            comments += [message.comment] if message.comment else []
            if len(comments) == 3:
                break
    assert comments == ["alive"] * 3


async def test_a_client_that_leaves_is_forgotten(live, serving, moved):
    execution_id = await moved.new()
    async with live.client() as client, client.stream("GET", f"/streams/{execution_id}"):
        await until(lambda: serving.feed.readers == 1)
        assert "combine_event_streams 1.0" in (await client.get("/metrics")).text
    await until(lambda: serving.feed.readers == 0)
    await until(lambda: not live.http.server_state.tasks)
    assert serving.feed.executions == 0


async def test_a_client_that_does_not_read_is_cut(live, serving, moved):
    """Its window is closed, so nothing more can be sent; the connection must not stay open in the kernel either."""
    execution_id = await moved.new()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", live.port))
    client.sendall(f"GET /streams/{execution_id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await until(lambda: serving.feed.readers == 1)
    words = "x" * 100_000

    async def talk():
        while serving.feed.readers:
            await moved.event(execution_id, words)

    await asyncio.wait_for(talk(), 30)
    await until(lambda: not live.http.server_state.connections)
    client.close()


async def test_a_server_that_stops_ends_its_streams_at_once(settings, serving, moved):
    execution_id = await moved.new()
    app = create_app(settings, serving=serving, routers=(router,))
    async with live_server(app, grace_s=20) as live, live.client() as client:
        reading = [asyncio.create_task(read(client, f"/streams/{execution_id}")) for _ in range(5)]
        await until(lambda: serving.feed.readers == 5)
        serving.feed.cut_all()
        assert await asyncio.wait_for(asyncio.gather(*reading), 5) == [[]] * 5
        refused = await client.get(f"/streams/{execution_id}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_stopping")


async def test_streams_stay_open_while_the_database_is_unavailable(settings, server):
    settings = settings.model_copy(update={"database_url": SecretStr(server.url)})
    async with AsyncExitStack() as stack:
        serving = await stack.enter_async_context(open_serving(settings, print))
        await until(lambda: serving.listener.is_connected)
        moved = HandMoved(serving.database)
        execution_id = await moved.new()
        app = create_app(settings, serving=serving, routers=(health.router, router))
        live = await stack.enter_async_context(live_server(app))
        client = await stack.enter_async_context(live.client())
        reading = asyncio.create_task(read(client, f"/streams/{execution_id}"))
        await until(lambda: serving.feed.readers == 1)
        await asyncio.to_thread(server.crash)
        await until(lambda: not serving.listener.is_connected)
        away = await client.get(f"/streams/{execution_id}")
        assert (away.status_code, away.json()["error"]["code"]) == (503, "database_unavailable")
        assert away.headers["retry-after"]
        assert away.elapsed < PATIENCE / 2  # PATIENCE is for commands; a page waits less
        assert (await client.get("/health")).status_code == 200
        not_ready = await client.get("/health/ready")
        assert (not_ready.status_code, not_ready.json()["error"]["details"]["checks"]["database"]) == (503, "failed")
        assert not reading.done()
        await asyncio.to_thread(server.start)
        await until(lambda: _tried(moved.status(execution_id, "completed")))
        assert [one.event for one in await asyncio.wait_for(reading, 60)] == ["execution_completed", "end"]
        await until(lambda: _is_ready(client))


async def _tried(work):
    with suppress(Exception):
        await work
        return True


async def _is_ready(client: httpx2.AsyncClient) -> bool:
    return (await client.get("/health/ready")).status_code == 200


async def test_three_hundred_streams_over_one_listener(live, serving, moved):
    executions = [await moved.new() for _ in range(30)]
    limits = httpx2.Limits(max_connections=None)
    async with live.client(limits=limits) as client:
        reading = [asyncio.create_task(read(client, f"/streams/{executions[number % 30]}")) for number in range(300)]
        await until(lambda: serving.feed.readers == 300)
        for _ in range(10):
            await asyncio.gather(*(moved.event(one) for one in executions))
        for one in executions:
            await moved.status(one, "completed")
        for task in reading:
            seen = await asyncio.wait_for(task, 60)
            assert [int(one.id) for one in seen if one.id] == list(range(1, 12))
            assert seen[-1].event == "end"
        assert serving.feed.dropped == 0

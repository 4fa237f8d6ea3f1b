"""Middleware around every route, tested with routes of the tests, over real HTTP."""

import asyncio
import gzip
import json
from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import pytest
import structlog
from api_house import live_server, until
from api_server import new_database
from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from combine.api import application, health
from combine.api.caller import TheShell
from combine.api.correlation import signed_in
from combine.api.errors import responses
from combine.api.limits import Limit, client_address
from combine.api.requests import RequestBody
from combine.errors import Conflict, DatabaseUnavailable, Invalid, NotFound, NotPermitted, NotSignedIn
from combine.main import create_app
from combine.observability.correlation import current_request_id

router = APIRouter(prefix="/probe")
RAISES = {
    "invalid": lambda: Invalid("Not so.", code="not_so", hint="Like this.", details={"n": 1, "object": object()}),
    "not_found": NotFound,
    "conflict": Conflict,
    "not_signed_in": NotSignedIn,
    "not_permitted": NotPermitted,
    "away": DatabaseUnavailable,
    "bug": lambda: RuntimeError("the canary in the traceback"),
}


class Numbered(RequestBody):
    number: int
    word: str = ""


@router.get("/raise/{kind}")
async def raise_(kind: str) -> None:
    error = RAISES[kind]()
    raise error


@router.post("/echo")
async def echo(body: Numbered) -> Numbered:
    return body


@router.post("/size")
async def size(request: Request) -> int:
    return len(await request.body())


@router.delete("/size")
async def delete_size() -> None: ...


@router.get("/query")
async def query(n: Annotated[int, Query(ge=1)], word: Annotated[str, Query(max_length=3)] = "") -> dict[str, Any]:
    return {"n": n, "word": word}


@router.get("/items/{item_id}")
async def item(item_id: UUID, request: Request) -> dict[str, Any]:
    signed_in(request, item_id)
    structlog.stdlib.get_logger("combine.probe").warning("inside")
    return {"request_id": current_request_id(), "address": client_address(request), "scheme": request.url.scheme}


@router.get("/hang")
async def hang() -> None:
    await asyncio.Event().wait()


@router.get("/slow-stream")
async def slow_stream(kind: str) -> Response:
    async def parts():
        for _ in range(6):
            yield b": part\n\n"
            await asyncio.sleep(0.5)

    return StreamingResponse(parts(), media_type=kind)


@router.get("/long")
async def long() -> dict[str, str]:
    return {"text": "again and " * 1000}


@router.get("/cached")
async def cached() -> Response:
    return Response("x", headers={"Cache-Control": "private", "Content-Security-Policy": "default-src 'self'"})


@router.get("/limited")
async def limited(shell: TheShell, key: str) -> None:
    await shell.limits.check(Limit.STARTS, key)


@router.get("/documented", responses=responses(401))
async def documented() -> None: ...


ROUTERS = (health.router, application.router, router)


@pytest.fixture(scope="module")
def database_url(shared_server_url):
    with new_database(shared_server_url) as url:
        yield url


@pytest.fixture
async def server(settings):
    async with live_server(create_app(settings, routers=ROUTERS)) as running:
        yield running


def error_of(response, status, code):
    """The error, after checking its shape and request ID."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    error = response.json()["error"]
    assert response.json().keys() == {"error"}
    assert error.keys() == {"code", "message", "details", "request_id"}
    assert error["code"] == code
    assert error["message"]
    assert error["request_id"] == response.headers["x-request-id"]
    return error


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/probe/raise/invalid", 422, "not_so"),
        ("/probe/raise/not_found", 404, "not_found"),
        ("/probe/raise/conflict", 409, "conflict"),
        ("/probe/raise/not_signed_in", 401, "not_signed_in"),
        ("/probe/raise/not_permitted", 403, "not_permitted"),
        ("/probe/raise/away", 503, "database_unavailable"),
        ("/probe/query?n=0", 422, "request_invalid"),
        ("/probe/query", 422, "request_invalid"),
        ("/nowhere", 404, "route_not_found"),
        ("/probe/long/", 404, "route_not_found"),
        ("/probe/size", 405, "method_not_allowed"),
        ("/probe/query?n=1&word=%00", 422, "request_invalid"),
        ("/probe/items/%00", 422, "request_invalid"),
        ("/probe/query?n=" + "1" * 9000, 414, "url_too_long"),
    ],
)
async def test_every_error_has_the_one_shape(server, path, status, code):
    async with server.client() as client:
        error_of(await client.get(path), status, code)


async def test_details_and_headers_of_an_error(server):
    async with server.client() as client:
        error = error_of(await client.get("/probe/raise/invalid"), 422, "not_so")
        assert error["details"] == {"n": 1, "hint": "Like this."}
        assert (await client.get("/probe/raise/not_signed_in")).headers["www-authenticate"] == "Bearer"
        assert int((await client.get("/probe/raise/away")).headers["retry-after"]) >= 1
        assert (await client.get("/probe/size")).headers["allow"] == "POST, DELETE"
        assert (await client.post("/health")).headers["allow"] == "GET, HEAD"


async def test_a_bug_is_hidden_from_the_client_and_logged(server, caplog):
    async with server.client() as client:
        response = await client.get("/probe/raise/bug", headers={"X-Request-ID": "find-me"})
        assert (await client.get("/health")).status_code == 200
    error = error_of(response, 500, "internal_error")
    assert error["request_id"] == "find-me"
    assert "canary" not in response.text
    assert "canary" in caplog.text


@pytest.mark.parametrize(
    ("body", "location"),
    [
        (b'{"number": "canary"}', "body.number"),
        (b'{"number": 1, "canary": 2}', "body.canary"),
        (b'{"number": 1, "word": "\\u0000canary"}', "body"),
        (b'{"number": 1, "word": "\\ud800canary"}', "body"),
        (b'{"number": canary}', "body.11"),
        (b"[1]", "body"),
        (b"", "body"),
    ],
)
async def test_an_invalid_body_is_reported_by_place_without_its_values(server, body, location):
    async with server.client() as client:
        response = await client.post("/probe/echo", content=body, headers={"Content-Type": "application/json"})
    [fault] = error_of(response, 422, "request_invalid")["details"]["faults"]
    assert fault["location"] == location
    assert "canary" not in fault["message"]


@pytest.mark.parametrize("body", [b'{"number": ' + b"[" * 100_000, b'{"number": ' + b"1" * 10_000 + b"}", b"\xff"])
async def test_a_body_that_breaks_the_parser_is_an_error_of_the_client(server, body):
    async with server.client() as client:
        response = await client.post("/probe/echo", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in {400, 422}
    error_of(response, response.status_code, "request_invalid")


async def test_a_body_that_is_too_large_announced_or_not(server, settings):
    most = settings.max_body_bytes

    async def parts():
        for _ in range(most // 65_536 + 1):
            yield b"x" * 65_536

    async with server.client() as client:
        assert (await client.post("/probe/size", content=b"x" * most)).json() == most
        error_of(await client.post("/probe/size", content=parts()), 413, "body_too_large")
        error_of(await client.post("/probe/size", content=b"x" * (most + 1)), 413, "body_too_large")
    begun = b"POST /probe/size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n"
    assert (await server.raw(begun + b"Expect: 100-continue\r\n\r\n")).startswith(b"HTTP/1.1 413 ")  # and closed


async def test_a_client_that_keeps_sending_after_a_refusal_is_disconnected(server, monkeypatch):
    begun = b"POST /probe/size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n"
    monkeypatch.setattr("combine.api.wire.UNREAD_TIMEOUT_S", 0.2)
    with suppress(ConnectionError):
        await server.raw(begun)
    monkeypatch.setattr("combine.api.wire.UNREAD_TIMEOUT_S", 60)
    monkeypatch.setattr("combine.api.wire.MAX_UNREAD_BYTES", 100_000)
    with suppress(ConnectionError):
        await server.raw(begun + b"x" * 5_000_000)


async def test_a_body_that_does_not_arrive(settings):
    settings = settings.model_copy(update={"body_timeout": timedelta(seconds=2)})
    async with live_server(create_app(settings, routers=ROUTERS)) as server:
        answer = await server.raw(b"POST /probe/size HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert json.loads(body)["error"]["code"] == "request_timeout"
        async with server.client() as client:  # the limit does not apply after the body has arrived
            assert (await client.post("/probe/size", content=b"12345")).json() == 5


async def test_a_request_that_takes_too_long_and_a_stream_that_may(settings, caplog):
    settings = settings.model_copy(update={"request_timeout": timedelta(seconds=2)})
    async with live_server(create_app(settings, routers=ROUTERS)) as server, server.client() as client:
        response = await client.get("/probe/hang")
        error_of(response, 503, "request_timeout")
        assert response.headers["retry-after"]
        assert "/probe/hang" in caplog.text
        stream = await client.get("/probe/slow-stream?kind=text/event-stream")
        assert stream.text.count("part") == 6
        with pytest.raises(Exception, match=r"(?i)closed|disconnected|incomplete"):
            await client.get("/probe/slow-stream?kind=text/plain")


async def test_only_allowed_hosts(settings):
    settings = settings.model_copy(
        update={"public_url": "https://combine.example.org", "allowed_hosts": ("127.0.0.1", "*.trusted.example")}
    )
    async with live_server(create_app(settings, routers=ROUTERS)) as server, server.client() as client:
        for host in ("combine.example.org", "COMBINE.example.org:443", "a.trusted.example", "127.0.0.1:1"):
            assert (await client.get("/version", headers={"Host": host})).status_code == 200
        for host in ("example.org", "trusted.example", "atrusted.example", "", "localhost", "[::1]"):
            error_of(await client.get("/version", headers={"Host": host}), 400, "host_not_allowed")
            assert (await client.get("/health", headers={"Host": host})).status_code == 200
            for path in ("/health/ready", "/metrics"):
                error_of(await client.get(path, headers={"Host": host}), 400, "host_not_allowed")


async def test_the_names_of_this_machine_are_allowed_by_default(server):
    async with server.client() as client:
        for host in ("localhost", "localhost:8765", "127.0.0.1", "[::1]:8765"):
            assert (await client.get("/version", headers={"Host": host})).status_code == 200
        error_of(await client.get("/version", headers={"Host": "rebound.example"}), 400, "host_not_allowed")


@pytest.mark.parametrize("path", ["/probe/long", "/nowhere", "/health", "/probe/raise/bug"])
async def test_security_headers(server, path):
    async with server.client() as client:
        response = await client.get(path)
    expected = {
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "referrer-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-store",
    }
    assert {name: response.headers[name] for name in expected} == expected
    assert "strict-transport-security" not in response.headers
    assert "server" not in response.headers


async def test_a_route_may_set_these_headers_itself(server):
    async with server.client() as client:
        response = await client.get("/probe/cached")
    assert response.headers.get_list("cache-control") == ["private"]
    assert response.headers.get_list("content-security-policy") == ["default-src 'self'"]


async def test_strict_transport_security_over_https(settings):
    settings = settings.model_copy(update={"public_url": "https://combine.example.org"})
    async with live_server(create_app(settings, routers=ROUTERS)) as server, server.client() as client:
        assert (await client.get("/health")).headers["strict-transport-security"] == "max-age=31536000"


PREFLIGHT = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}


async def test_cross_origin_requests_are_refused_unless_allowed(server, settings):
    async with server.client() as client:
        assert (await client.options("/probe/echo", headers=PREFLIGHT)).status_code == 405
        answer = await client.get("/probe/long", headers={"Origin": "https://page.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]
    settings = settings.model_copy(update={"cors_origins": ("https://page.example",)})
    async with live_server(create_app(settings, routers=ROUTERS)) as open_server, open_server.client() as client:
        asked = await client.options(
            "/probe/echo", headers={**PREFLIGHT, "Access-Control-Request-Headers": "authorization,content-type"}
        )
        assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, "https://page.example")
        answer = await client.get("/nowhere", headers={"Origin": "https://page.example"})
        assert answer.headers["access-control-allow-origin"] == "https://page.example"
        assert "access-control-allow-credentials" not in answer.headers
        other = await client.options("/probe/echo", headers={**PREFLIGHT, "Origin": "https://other.example"})
        error_of(other, 400, "origin_not_allowed")


async def test_long_responses_are_compressed_and_streams_are_not(server):
    async with server.client() as client:
        async with client.stream("GET", "/probe/long", headers={"Accept-Encoding": "gzip"}) as response:
            raw = b"".join([part async for part in response.aiter_raw()])
        assert response.headers["content-encoding"] == "gzip"
        assert "again and" in gzip.decompress(raw).decode()
        stream = await client.get("/probe/slow-stream?kind=text/event-stream", headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in stream.headers


async def test_a_request_has_one_id_everywhere(server):
    item_id = "00000000-0000-0000-0000-000000000001"
    async with server.client() as client:
        with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            answer = await client.get(f"/probe/items/{item_id}?secret=canary", headers={"X-Request-ID": "mine-1"})
            assert answer.json()["request_id"] == answer.headers["x-request-id"] == "mine-1"
            await client.get("/no/canary", headers={"Authorization": "Bearer canary"})
            await client.get("/health")
    inside, about = [line for line in lines if line.get("request_id") == "mine-1"]
    assert inside["event"] == "inside"
    assert about | {"ms": 0} == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "route": "/probe/items/{item_id}",
        "status": 200,
        "user": item_id,
        "request_id": "mine-1",
        "ms": 0,
    }
    assert "canary" not in str(lines)
    routes = {line["route"]: line["log_level"] for line in lines if line["event"] == "request"}
    assert routes == {"/probe/items/{item_id}": "info", "unmatched": "info", "/health": "debug"}


async def test_the_route_in_the_log_is_a_template_also_of_nested_routers_and_of_files(settings):
    inner, outer = APIRouter(prefix="/inner"), APIRouter(prefix="/outer")

    @inner.get("/{name}")
    async def deep(name: str) -> str:
        return name

    outer.include_router(inner)
    app = create_app(settings, routers=(outer,))
    app.mount("/files", Response("a file"))
    with structlog.testing.capture_logs() as lines:
        async with live_server(app) as server, server.client() as client:
            for path in ("/outer/inner/x", "/files/a/b.css", "/outer"):
                await client.get(path)
    told = [line["route"] for line in lines if line["event"] == "request"]
    assert told == ["/outer/inner/{name}", "/files/*", "unmatched"]


async def test_the_trace_id_of_the_caller_is_used(server):
    async with server.client() as client:
        answer = await client.get("/health", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    assert answer.headers["x-request-id"] == "ab" * 16


async def test_only_trusted_proxies_are_believed(server, settings):
    path, told = (
        "/probe/items/00000000-0000-0000-0000-000000000001",
        {
            "X-Forwarded-For": "203.0.113.9, 192.0.2.1",
            "X-Forwarded-Proto": "https",
        },
    )
    async with server.client() as client:
        direct = (await client.get(path, headers=told)).json()
    assert (direct["address"], direct["scheme"]) == ("127.0.0.1", "http")
    app = create_app(settings, routers=ROUTERS)
    async with live_server(app, trusted_proxies=("127.0.0.1", "192.0.2.0/24")) as behind, behind.client() as client:
        through = (await client.get(path, headers=told)).json()
    assert (through["address"], through["scheme"]) == ("203.0.113.9", "https")


async def test_a_rate_limit_says_when_to_retry(settings):
    settings = settings.model_copy(update={"rate_limit_starts": "2/hour"})
    async with live_server(create_app(settings, routers=ROUTERS)) as server, server.client() as client:
        answers = [await client.get("/probe/limited?key=a") for _ in range(3)]
        assert [one.status_code for one in answers] == [200, 200, 429]
        error_of(answers[-1], 429, "rate_limited")
        assert 3590 <= int(answers[-1].headers["retry-after"]) <= 3600
        assert (await client.get("/probe/limited?key=b")).status_code == 200
        assert 'combine_rate_limited_total{limit="starts"} 1.0' in (await client.get("/metrics")).text


HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"what is this\r\n\r\n", 400, "request_malformed"),
        (b"\x16\x03\x01\x02\x00\x01", 400, "request_malformed"),
        (b"GET /health HTTP/1.1\r\nHost localhost\r\n\r\n", 400, "request_malformed"),
        (b"FOO /api/v1/executions HTTP/1.1\r\nHost: localhost\r\n\r\n", 501, "method_unknown"),
        (b"get /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 501, "method_unknown"),
        (HEAD + b"X: " + b"x" * 40_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n", 431, "headers_too_large"),
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431, "headers_too_large"),
    ],
)
async def test_malformed_and_endless_heads_are_refused_in_the_one_shape(server, data, status, code):
    head, _, body = (await server.raw(data)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    error = json.loads(body)["error"]
    assert error["code"] == code
    assert f"x-request-id: {error['request_id']}".encode() in head


async def test_a_client_that_never_finishes_its_headers_is_disconnected(server, monkeypatch):
    monkeypatch.setattr("combine.api.wire.HEAD_TIMEOUT_S", 0.2)
    for begun in (b"", HEAD, HEAD + b"\r\n" + b"G"):
        assert (await server.raw(begun)).count(b"HTTP/1.1") == (1 if begun.endswith(b"G") else 0)


async def test_too_many_concurrent_requests(settings, monkeypatch):
    monkeypatch.setattr("combine.main.MAX_CONCURRENT_REQUESTS", 2)
    async with live_server(create_app(settings, routers=ROUTERS), grace_s=1) as server, server.client() as client:
        hanging = [asyncio.create_task(client.get("/probe/hang")) for _ in range(2)]
        await until(lambda: len(server.http.server_state.tasks) == 2)
        error_of(await client.get("/version"), 503, "server_busy")
        assert (await client.get("/health")).status_code == 200  # otherwise a load balancer would consider it down
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


async def test_the_openapi_document_names_what_any_route_may_answer(settings):
    async with live_server(create_app(settings, routers=ROUTERS)) as server, server.client() as client:
        schema = (await client.get("/api/v1/openapi.json")).json()
    answers = schema["paths"]["/probe/documented"]["get"]["responses"]
    assert answers.keys() == {"200", "400", "401", "408", "413", "414", "422", "429", "431", "500", "503"}

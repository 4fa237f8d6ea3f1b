"""``api/wire.py`` extends uvicorn's protocol by methods and attributes that uvicorn does not document.

If one of these tests fails after an update of uvicorn, compare ``wire.py`` with the new
``uvicorn/protocols/http/httptools_impl.py`` before changing the test.
"""

import asyncio
import inspect
import sys

import pytest
import uvicorn
from httptools import HttpParserError, HttpParserInvalidMethodError
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from combine.api.wire import LimitedProtocol

OVERRIDDEN = sorted(
    name for name, one in vars(LimitedProtocol).items() if inspect.isfunction(one) and not name.startswith("_")
)
GET = b"GET /a?b=c HTTP/1.1\r\nHost: here\r\nX: y\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\n"


class Transport(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.written, self.aborted, self.closed = b"", False, False

    def write(self, data):
        self.written += data

    def is_closing(self):
        return self.closed or self.aborted

    def close(self):
        self.closed = True

    def abort(self):
        self.aborted = True

    def pause_reading(self): ...

    def resume_reading(self): ...


def recorder(fail_at=None):
    """A plain uvicorn protocol that records which of the methods are called, and may raise in one of them."""
    calls = []

    def recorded(name):
        def method(self, *args):
            calls.append(name)
            if name == "send_400_response":
                calls.append(sys.exception())
            if name == fail_at:
                raise LookupError
            return getattr(HttpToolsProtocol, name)(self, *args)

        return method

    return type("Recorder", (HttpToolsProtocol,), {name: recorded(name) for name in OVERRIDDEN}), calls


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def connected(kind):
    state = ServerState()
    state.default_headers = [(b"x-default", b"1")]
    protocol = kind(uvicorn.Config(app, ws="none", lifespan="off"), state, {})
    transport = Transport()
    protocol.connection_made(transport)
    return protocol, transport


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_each_overridden_method_is_there_with_these_parameters(name):
    ours, theirs = getattr(LimitedProtocol, name), getattr(HttpToolsProtocol, name)
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


async def test_the_methods_are_called_in_this_order():
    kind, calls = recorder()
    protocol, transport = connected(kind)
    protocol.data_received(GET)
    await asyncio.gather(*protocol.server_state.tasks)
    protocol.connection_lost(None)
    head = ["on_message_begin", "on_url", "on_header", "on_header", "on_headers_complete", "on_message_complete"]
    assert calls == ["connection_made", "data_received", *head, "on_response_complete", "connection_lost"]
    assert transport.written.startswith(STATUS_LINE[200])


async def test_a_body_may_arrive_after_the_response():
    kind, calls = recorder()
    protocol, _ = connected(kind)
    protocol.data_received(POST + b"12")
    assert protocol.cycle.response_complete is False
    await asyncio.gather(*protocol.server_state.tasks)
    assert protocol.cycle.response_complete is True
    protocol.data_received(b"34")
    assert calls[-5:] == ["on_body", "on_response_complete", "data_received", "on_body", "on_message_complete"]


@pytest.mark.parametrize("fail_at", ["on_url", "on_header"])
async def test_an_exception_in_the_head_is_answered_by_the_method_for_bad_requests(fail_at):
    kind, calls = recorder(fail_at)
    protocol, transport = connected(kind)
    protocol.data_received(GET)
    name, error = calls[-2:]
    assert name == "send_400_response"
    assert isinstance(error, HttpParserError)
    assert transport.closed


async def test_an_unknown_method_is_reported_as_such():
    kind, calls = recorder()
    protocol, _ = connected(kind)
    protocol.data_received(b"FOO /a HTTP/1.1\r\nHost: here\r\n\r\n")
    assert calls[-2] == "send_400_response"
    assert isinstance(calls[-1], HttpParserInvalidMethodError)


async def test_the_attributes_that_are_used():
    protocol, transport = connected(HttpToolsProtocol)
    assert protocol.loop is asyncio.get_running_loop()
    assert protocol.transport is transport
    assert protocol.server_state.default_headers == [(b"x-default", b"1")]
    protocol.data_received(POST)
    assert protocol.scope["type"] == "http"
    assert "extensions" not in protocol.scope, "uvicorn now sets extensions: merge ours into them"
    await asyncio.gather(*protocol.server_state.tasks)


async def test_our_extension_reaches_the_application():
    seen = []

    async def look(scope, receive, send):
        seen.append(scope["extensions"])
        await app(scope, receive, send)

    protocol, transport = connected(LimitedProtocol)
    protocol.app = look
    protocol.data_received(GET)
    await asyncio.gather(*protocol.server_state.tasks)
    [extensions] = seen
    extensions["combine.abort"]["now"]()
    assert transport.aborted

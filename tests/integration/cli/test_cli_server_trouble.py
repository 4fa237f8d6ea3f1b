"""Servers that are away, slow, broken, or none: a stub plays them. What is sent again, and what is said."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from own_authority import own_authority
from reserved_port import reserved_port

from combine.cli.app import global_options_first

TOKEN = "cmb_canary"
CUT = None
ID = "11111111-2222-4333-8444-555555555555"


@dataclass
class Answer:
    """What the stub says to one request."""

    status: int = 200
    body: bytes = b'{"items": [], "next_cursor": null}'
    headers: dict[str, str] = field(default_factory=dict)


def error(status, code="trouble", message="Trouble.", **more):
    details = more.pop("details", {})
    body = {"error": {"code": code, "message": message, "details": details, "request_id": "r1"}}
    return Answer(status, json.dumps(body).encode(), more.pop("headers", {}))


OK = Answer()
AWAY_MESSAGE = "The database is away."
AWAY = error(503, "database_unavailable", AWAY_MESSAGE, headers={"Retry-After": "0"})


@dataclass
class Stub:
    """Says the answers in order, and the last one for ever."""

    url: str = ""
    answers: list[Answer | None] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def listening(tls: ssl.SSLContext | None = None) -> Iterator[Stub]:
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            stub.requests.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            answer = stub.answers.pop(0) if len(stub.answers) > 1 else stub.answers[0]
            if answer is CUT:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_PATCH = do_DELETE = do_CONNECT = do_GET  # noqa: N815 - names of the library

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        stub.url = f"http{'' if tls is None else 's'}://127.0.0.1:{server.server_port}"
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def stub():
    with listening() as running:
        yield running


@pytest.fixture
def at(cli, stub, monkeypatch):
    """A command at the stub, which says these answers."""
    monkeypatch.setattr("combine.cli.remote.client.PAUSES_S", (0.01, 0.01, 0.01))

    def run(*arguments, answers=(OK,), **environment):
        stub.answers[:] = answers
        del stub.requests[:]
        given = {"COMBINE_SERVER": stub.url, "COMBINE_TOKEN": TOKEN, "COMBINE_DATABASE_URL": "", **environment}
        result = cli.here(*global_options_first(list(arguments)), **given)
        assert TOKEN not in result.out + result.err
        assert "Traceback" not in result.err
        return result

    return run


@pytest.mark.parametrize("trouble", [AWAY, CUT, Answer(502, b"<html>Bad gateway</html>"), Answer(504, b"")])
def test_a_look_is_tried_again(at, stub, trouble):
    result = at("list", answers=[trouble, trouble, OK])
    assert (result.code, result.out[:13]) == (0, "No executions"), result.err
    assert len(stub.requests) == 3


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (AWAY, AWAY_MESSAGE),
        (CUT, "No response"),
        (Answer(502, b"<html>"), "status 502"),
    ],
)
def test_and_given_up_after_a_few_times(at, stub, trouble, words):
    result = at("list", answers=[trouble])
    assert (result.code, result.out) == (1, "")
    assert words in result.err
    assert len(stub.requests) == 4


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (["accept", ID], 1),
        (["cancel", ID], 1),
        (["answer", ID, "--no-questions"], 1),
        (["resume", ID, "--decision", "cancel"], 1),
        (["resume", ID, "--from", "review"], 1),
        (["tokens", "create", "x"], 1),
        (["tokens", "revoke", ID], 4),
    ],
)
def test_what_would_be_done_twice_is_sent_once(at, stub, detail, arguments, sent):
    for trouble in (CUT, AWAY):
        looks = [] if arguments[0] in {"tokens", "cancel"} or "--from" in arguments else [detail]
        more = [detail] if arguments[0] == "answer" else []
        result = at(*arguments, answers=[*looks, *more, trouble])
        assert result.code == 1
        changes = [request for request in stub.requests if request[0] != "GET"]
        assert len(changes) == sent
        assert ("may still have succeeded" in result.err) == (trouble is CUT and sent == 1)


@pytest.fixture
def detail():
    """An execution that waits for answers."""
    execution = {
        "id": ID,
        "project": "Shop",
        "project_id": ID,
        "workflow_id": "strategy-document",
        "status": "waiting_for_answers",
        "reason": None,
        "reason_code": None,
        "model": "offline",
        "budget_usd": None,
        "spent_usd": "0",
        "cost_usd": "0",
        "created_at": "2026-11-25T10:00:00Z",
        "updated_at": "2026-11-25T10:00:00Z",
        "finished_at": None,
        "a_key_of_a_later_version": 1,
    }
    tokens = {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0}
    lists = dict.fromkeys(("steps", "documents", "questions", "findings", "calls"), ())
    numbers = {"reserved_usd": "0", "revision": 0, "round": 1, "seq": 0, "duration_s": 0.0}
    return Answer(200, json.dumps({"execution": execution, "tokens": tokens, **lists, **numbers}).encode())


def test_a_start_is_sent_again_with_the_same_key(at, stub, detail, cli):
    estimate = {
        "workflow": "strategy-document",
        "model": "offline",
        "uses_model": False,
        "input_tokens": {"low": 0, "high": 0},
        "output_tokens": {"low": 0, "high": 0},
        "usd": {"low": "0", "high": "0"},
        "earlier_executions": 0,
        "characters_per_token": [4.0, 2.5],
    }
    answers = [Answer(200, json.dumps(estimate).encode()), CUT, AWAY, detail]
    result = at("run", cli.brief, "--project", "Shop", answers=answers)
    assert result.code == 3, result.err
    starts = [headers for method, path, headers in stub.requests if (method, path) == ("POST", "/api/v1/executions")]
    assert len(starts) == 3
    assert len({headers["idempotency-key"] for headers in starts}) == 1
    assert "Drafted offline" in result.err


REFUSALS = [
    (error(400, "host_not_allowed", "This host name is not answered here."), 2, "This host name is not answered here."),
    (
        error(401, "token_expired", "This token has expired.", details={"hint": "Create a new one."}),
        2,
        "Create a new one.",
    ),
    (error(403, "role_missing", "You are viewer."), 2, "You are viewer."),
    (error(404, "execution_not_found", "There is no execution."), 2, "There is no execution."),
    (error(404, "route_not_found", "Not found."), 1, "combine doctor"),
    (error(409, "already_ended", "It is cancelled already."), 2, "It is cancelled already."),
    (error(422, "invalid", "Not so."), 2, "Not so."),
    (
        error(
            422, "request_invalid", "Faults.", details={"faults": [{"location": "query.limit", "message": "too much"}]}
        ),
        2,
        "limit: too much",
    ),
    (error(429, "rate_limited", "That was too often.", headers={"Retry-After": "7"}), 1, "Try again in 7 s."),
    (error(500, "internal_error", "Something went wrong here."), 1, "r1"),
    (Answer(200, b"<html>Welcome to the hotel</html>"), 1, "combine doctor"),
    (Answer(200, b'{"items": [{"id": "of another version"}], "next_cursor": null}'), 1, "combine doctor"),
    (Answer(404, b"nginx"), 1, "status 404"),
    (Answer(500, b'{"error": "of another kind"}'), 1, "status 500"),
    (Answer(302, b"", {"Location": "https://www.example.org/"}), 1, "https://www.example.org/"),
]


@pytest.mark.parametrize(("answer", "code", "words"), REFUSALS, ids=lambda value: str(getattr(value, "status", "")))
def test_a_no_is_told_with_its_reason(at, stub, answer, code, words):
    result = at("list", answers=[answer])
    assert (result.code, result.out) == (code, "")
    assert words in result.err
    assert len(stub.requests) == 1


def test_a_page_of_the_list_that_breaks_is_taken_again(at, stub):
    first = Answer(200, b'{"items": [], "next_cursor": "next"}')
    assert at("projects", "list", answers=[first, CUT, OK]).code == 0
    assert [path.partition("cursor=")[2] for _, path, _ in stub.requests] == ["", "next", "next"]


def test_the_token_goes_to_no_proxy_and_to_no_other_address(at, stub):
    with listening() as other:
        other.answers[:] = [OK]
        proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), other.url)
        assert at("list", **proxies).code == 0
        assert at("list", answers=[Answer(307, b"", {"Location": f"{other.url}/api/v1/executions"})]).code == 1
        assert other.requests == []
    assert stub.requests[0][2]["authorization"] == f"Bearer {TOKEN}"


def test_what_cannot_be_sent(at, stub):
    result = at("list", "--project", "x" * 70_000)
    assert (result.code, result.out, stub.requests) == (2, "", [])
    assert "too long" in result.err


def test_nobody_listens(at, cli):
    with reserved_port() as port:
        for arguments in (["list"], ["accept", ID], ["run", cli.brief]):
            result = at(*arguments, "--server", f"http://127.0.0.1:{port}")
            assert (result.code, result.out) == (1, "")
            assert f"http://127.0.0.1:{port}: connection refused" in result.err


def test_no_tls_where_it_is_wanted(at, stub):
    result = at("list", "--server", stub.url.replace("http:", "https:"))
    assert result.code == 1
    assert "TLS" in result.err


def test_plain_http_to_another_machine_sends_nothing(at):
    result = at("list", "--server", "http://combine.example.org")
    assert result.code == 2
    assert "https://combine.example.org" in result.err


@pytest.fixture
def secured(at, tmp_path):
    """A command at a server whose certificate is signed by an authority of ours; a file with that one's certificate."""

    @contextmanager
    def running(address="127.0.0.1"):
        authority = own_authority(tmp_path, address)
        with listening(authority.server) as server:
            server.answers[:] = [OK]

            def run(*arguments, **environment):
                return at(*arguments, "--server", server.url, **environment)

            yield server, run, str(authority.certificate)

    return running


@pytest.mark.parametrize("arguments", [["list"], ["accept", ID], ["run", "{brief}"]], ids=lambda given: given[0])
def test_a_certificate_that_nobody_vouches_for(secured, cli, arguments):
    with secured() as (server, run, _):
        result = run(*(word.format(brief=cli.brief) for word in arguments))
    assert (result.code, result.out, server.requests) == (1, "", [])
    assert f"{server.url}: its certificate is not trusted: " in result.err
    assert "SSL_CERT_FILE" in result.err


def test_doctor_says_so_too(secured):
    with secured() as (_, run, _):
        found = run("doctor", "--json")
    assert (found.code, found.json["server"]["ok"]) == (1, False)
    assert "its certificate is not trusted" in found.json["server"]["message"]
    assert "SSL_CERT_FILE" in found.json["server"]["message"]


def test_an_authority_of_ones_own_is_trusted_when_it_is_named(secured):
    with secured() as (server, run, certificate):
        assert run("list", SSL_CERT_FILE=certificate).code == 0
    assert [headers["authorization"] for _, _, headers in server.requests] == [f"Bearer {TOKEN}"]


def test_a_certificate_for_another_address(secured):
    with secured("127.0.0.2") as (server, run, certificate):
        result = run("list", SSL_CERT_FILE=certificate)
    assert (result.code, server.requests) == (1, [])
    assert "its certificate is not trusted: IP address mismatch" in result.err


@pytest.mark.parametrize(
    ("content", "why"), [(None, "no such file or directory"), ("no certificate", "no certificate or crl found")]
)
def test_a_file_of_certificates_that_is_none(secured, cli, content, why):
    file = cli.folder / "wrong.pem"
    if content is not None:
        file.write_text(content)
    with secured() as (server, run, _):
        result = run("list", SSL_CERT_FILE=str(file))
    assert (result.code, result.out, server.requests) == (2, "", [])
    assert f"{file}: {why}" in result.err
    assert "SSL_CERT_FILE" in result.err

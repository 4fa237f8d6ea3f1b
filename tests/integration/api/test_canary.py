"""No secret is written anywhere: a server and its worker are used and misused, and all output is searched."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any
from urllib.parse import parse_qs, urlsplit

import bakery
import httpx2
import psycopg
import pytest
from fake_llm import FakeLLM
from own_issuer import CLIENT_ID, CLIENT_SECRET, new_key, own_issuer
from psycopg import sql
from pydantic import SecretStr

from combine.auth.secrets import new_token
from combine.settings import Settings
from combine.settings.values import OidcProvider

COMBINE = Path(sys.executable).parent / "combine"
SECRETS = {
    "database_url": "canary-of-the-database",
    "anthropic_api_key": "canary-of-anthropic-0123456789",
    "openai_api_key": "canary-of-openai-0123456789",
    "client_secret": CLIENT_SECRET,
    "token": "canary-of-the-command-line",
}
WRONG = {
    "unknown token": new_token(),
    "word in a header": "canary-in-a-header",
    "word in a cookie": "canary-in-a-cookie",
    "word in a query": "canary-in-a-query",
    "word in a path": "canary-in-a-path",
    "word in a body": "canary-in-a-body",
    "word at the wrong door": "canary-at-the-door",
}
"""Secrets that people put in the wrong place."""

pytestmark = pytest.mark.timeout(240)


@dataclass
class Written:
    """Everything that a run has written, by place."""

    answers: dict[str, str] = field(default_factory=dict)
    output: dict[str, bytearray] = field(default_factory=lambda: {"stdout": bytearray(), "stderr": bytearray()})
    rows: dict[str, bytes] = field(default_factory=dict)
    given_out: dict[str, set[str]] = field(default_factory=dict)
    """Secret -> the responses that may contain it."""
    numbers: Any = field(default_factory=lambda: count(1))

    def note(self, response: httpx2.Response) -> None:
        """A response hook of the client."""
        response.read()
        place = f"{next(self.numbers)}: {response.request.method} {response.request.url.path}"
        response.extensions["place"] = place.encode()
        headers = "\n".join(f"{name}: {value}" for name, value in response.headers.multi_items())
        self.answers[place] = f"{headers}\n\n{response.text}"

    def once(self, secret: str, response: httpx2.Response) -> str:
        """Only this response may contain that secret."""
        assert secret not in self.given_out
        return self.again(secret, response)

    def again(self, secret: str, response: httpx2.Response) -> str:
        """This response may contain it too."""
        self.given_out.setdefault(secret, set()).add(response.extensions["place"].decode())
        return secret

    def holds(self, secret: str) -> set[str]:
        """Where the secret was found."""
        raw = secret.encode()
        found = {place for place, text in self.answers.items() if secret in text}
        found |= {name for name, text in self.output.items() if raw in text}
        return found | {place for place, value in self.rows.items() if raw in value}


@contextmanager
def combine_serve(folder: Path, written: Written, environment: dict[str, str]) -> Iterator[str]:
    """The URL of a server with the most verbose log level."""
    process = subprocess.Popen(
        [COMBINE, "--debug", "serve", "--port", "0"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )

    def keep(stream: Any, into: bytearray) -> None:
        for line in stream:
            into.extend(line)

    readers = [Thread(target=keep, args=(getattr(process, name), into)) for name, into in written.output.items()]
    for reader in readers:
        reader.start()
    try:
        ready = wait_for(lambda: re.search(rb"Ready at (\S+) ", written.output["stderr"]) or process.poll() is not None)
        assert ready is not True, bytes(written.output["stderr"])
        yield ready[1].decode()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        for reader in readers:
            reader.join(60)
        for stream in (process.stdout, process.stderr):
            stream.close()


def wait_for(holds: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = monotonic() + seconds
    while not (found := holds()):
        assert monotonic() < deadline, "it did not happen in time"
        sleep(0.05)
    return found


@dataclass
class Driver:
    """A careless person with a browser and tokens."""

    client: httpx2.Client
    issuer: Any
    llm: FakeLLM
    written: Written

    def begin(self, **query: str) -> httpx2.Response:
        """The cookie of an attempt is shared by tabs, so each response sets it again; the nonce is not a secret."""
        away = self.client.get("/login/corp", params=query)
        if away.status_code == HTTPStatus.SEE_OTHER:
            self.written.once(parse_qs(urlsplit(away.headers["location"]).query)["state"][0], away)
            self.written.again(self.client.cookies["combine_sign_in"], away)
        return away

    def sign_in(self, *, spoil: dict[str, str] | None = None) -> httpx2.Response:
        away = self.begin()
        back = self.issuer.consent(away.headers["location"])
        found = self.client.get("/login/corp/callback", params={**back, **(spoil or {})})
        if (session := self.client.cookies.get("combine_session")) is not None:
            self.written.once(session, found)
        return found

    def token(self, scope: str) -> str:
        made = self.client.post("/api/v1/tokens", json={"name": scope, "scope": scope})
        return self.written.once(made.json()["secret"], made)

    def start(self, project_id: str, model: str) -> str:
        body = {"project_id": project_id, "brief": bakery.BRIEF, "model": model, "allow_unpriced": True, "ask": False}
        return self.client.post("/api/v1/executions", json=body).json()["execution"]["id"]

    def until_it_rests(self, execution_id: str) -> dict[str, Any]:
        def look() -> Any:
            found = self.client.get(f"/api/v1/executions/{execution_id}").json()
            return found if found["execution"]["status"] not in {"queued", "running"} else None

        return wait_for(look)

    def look_everywhere(self, project_id: str, executions: list[str]) -> None:
        for path in ("projects", "executions", "documents", "costs", "me", "me/sessions", "tokens", "users", "audit"):
            self.client.get(f"/api/v1/{path}")
        for rest in ("", "/members", "/invitations", "/audit"):
            self.client.get(f"/api/v1/projects/{project_id}{rest}")
        for one in executions:
            for rest in ("", "/steps", "/recording"):
                self.client.get(f"/api/v1/executions/{one}{rest}")
        for path in ("/", "/login", "/metrics", "/health/ready", "/version", "/api/v1/openapi.json"):
            self.client.get(path)

    def be_careless(self, project_id: str) -> None:
        """Secrets in the wrong places, and failing requests."""
        word = WRONG
        for credential in (f"Bearer {word['unknown token']}", f"Basic {word['word in a header']}"):
            self.client.get("/api/v1/me", headers={"Authorization": credential})
        self.client.get("/api/v1/me", headers={"Authorization": f"Bearer {word['word in a header']}"})
        anonymous = {
            "Cookie": f"combine_session={word['word in a cookie']}; combine_sign_in={word['word in a cookie']}"
        }
        self.client.get("/api/v1/me", headers=anonymous)
        self.client.get(
            "/login/corp/callback", params={"code": word["word in a query"], "state": "x"}, headers=anonymous
        )
        for path in ("executions", "documents", "costs", "projects", "tokens", "nothing", "me"):
            query = {
                "cursor": word["word in a query"],
                "token": word["word in a query"],
                "since": word["word in a query"],
            }
            self.client.get(f"/api/v1/{path}", params=query)
        self.client.get("/login/local", params={"key": word["word at the wrong door"]})
        self.begin(next=f"//{word['word at the wrong door']}")
        for path in (f"projects/{word['word in a path']}", f"tokens/{word['word in a path']}", word["word in a path"]):
            self.client.get(f"/api/v1/{path}")
            self.client.delete(f"/api/v1/{path}")
        body = word["word in a body"]
        for wrong in (
            {"name": "x", "expires_in_days": body},
            {"name": "x", "scope": body},
            [body],
            body,
        ):
            self.client.post("/api/v1/tokens", json=wrong)
        self.client.post("/api/v1/tokens", content=f'{{"name": "{body}', headers={"Content-Type": "application/json"})
        start = {"project_id": body, "brief": body, "budget_usd": body, "answers": body, "password": body}
        self.client.post("/api/v1/executions", json=start)
        self.client.patch(f"/api/v1/projects/{project_id}", json={"budget_usd": body})

    def stand_an_outage(self, execution_id: str) -> None:
        """Only a few requests, since each waits a second for the database."""
        assert self.client.get(f"/api/v1/executions/{execution_id}").status_code == 503
        assert self.client.post("/api/v1/tokens", json={"name": WRONG["word in a body"]}).status_code == 503
        wrong = {"Authorization": f"Bearer {WRONG['unknown token']}"}
        assert self.client.get("/api/v1/me", headers=wrong).status_code == 503
        assert self.client.get("/health/ready").status_code == 503
        assert self.begin().status_code == 503

    def use_it_all(self, crash: Callable[[], None], start_again: Callable[[], None]) -> None:
        self.issuer.sign_in_as("ada", "ada@example.org")
        assert self.sign_in(spoil={"state": "wrong"}).status_code == 422
        assert self.sign_in(spoil={"code": "wrong"}).status_code == 422
        assert self.sign_in().status_code == 303
        for scope in ("read", "run", "admin"):
            self.token(scope)
        project_id = self.client.post("/api/v1/projects", json={"name": "bakery"}).json()["id"]
        self.client.post(f"/api/v1/projects/{project_id}/invitations", json={"email": "bob@example.org"})
        models = ("claude-sonnet-5-5", "openai:gpt-5")
        executions = [self.start(project_id, model) for model in models]
        for one in executions:
            assert self.until_it_rests(one)["calls"][0]["state"] == "replied"
        self.llm.api_key = "the key that would be right"
        refused = [self.start(project_id, model) for model in models]
        for one in refused:
            found = self.until_it_rests(one)
            assert (found["execution"]["status"], found["calls"][0]["state"]) == ("failed", "failed")
        self.look_everywhere(project_id, [*executions, *refused])
        for one in refused:
            self.client.get(f"/api/v1/executions/{one}/events")
        self.be_careless(project_id)
        crash()
        wait_for(lambda: self.client.get("/api/v1/me").status_code == 503)
        self.stand_an_outage(executions[0])
        start_again()
        wait_for(lambda: self.client.get("/health/ready").status_code == 200)
        wait_for(lambda: self.client.get("/api/v1/me").status_code == 200)
        self.issuer.down = True
        self.begin()
        self.issuer.down = False
        self.client.post("/logout/everywhere")
        assert self.sign_in().status_code == 303
        self.client.post("/logout")


def stored(url: str) -> dict[str, bytes]:
    """Every value of every column that could contain a secret."""
    kinds = ("text", "character varying", "json", "jsonb", "bytea", "ARRAY", "character", "name")
    found = {}
    with psycopg.connect(url) as connection:
        columns = connection.execute(
            "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema IN ('public', 'dbos') AND data_type = ANY(%s)",
            [list(kinds)],
        ).fetchall()
        for schema, table, column, kind in columns:
            value = sql.Identifier(column) if kind == "bytea" else sql.SQL("{}::text").format(sql.Identifier(column))
            query = sql.SQL("SELECT {} FROM {}").format(value, sql.Identifier(schema, table))
            rows = [row[0] for row in connection.execute(query) if row[0] is not None]
            found[f"{table}.{column}"] = b"\n".join(one if isinstance(one, bytes) else one.encode() for one in rows)
    return found


def with_memory(issuer: Any, secrets: list[str]) -> None:
    """Make the provider remember the secrets it has issued."""
    answer = issuer.answer

    def remembering(path: str, body: str, headers: Any) -> Any:
        status, found = answer(path, body, headers)
        secrets.extend(found[name] for name in ("access_token", "id_token") if name in found)
        return status, found

    issuer.answer = remembering


@pytest.fixture(scope="module")
def key():
    return new_key()


def test_every_secret_of_the_settings_has_its_canary():
    fields = {**Settings.model_fields, **OidcProvider.model_fields}
    assert SECRETS.keys() == {name for name, one in fields.items() if SecretStr.__name__ in str(one.annotation)}


def test_no_secret_is_written_anywhere(server, tmp_path, key):
    written, at_the_provider = Written(), []
    with own_issuer(key) as issuer, FakeLLM() as llm:
        with_memory(issuer, at_the_provider)
        provider = {"issuer": issuer.url, "client_id": CLIENT_ID, "client_secret": SECRETS["client_secret"]}
        environment = {
            "COMBINE_DATABASE_URL": server.url.replace("combine@", f"combine:{SECRETS['database_url']}@"),
            "COMBINE_DATA_DIR": str(tmp_path / "data"),
            "COMBINE_LOG_FORMAT": "json",
            "COMBINE_LOG_LEVEL": "debug",
            "COMBINE_OIDC_PROVIDERS": json.dumps({"corp": provider}),
            "COMBINE_OIDC_ALLOWED_DOMAINS": "example.org",
            "COMBINE_BOOTSTRAP_ADMIN": "ada@example.org",
            "COMBINE_RATE_LIMIT_SIGN_IN": "10000/minute",
            "COMBINE_LLM_MAX_RETRIES": "0",
            "ANTHROPIC_API_KEY": SECRETS["anthropic_api_key"],
            "ANTHROPIC_BASE_URL": llm.anthropic_url,
            "OPENAI_API_KEY": SECRETS["openai_api_key"],
            "OPENAI_BASE_URL": llm.openai_url,
            "COMBINE_TOKEN": SECRETS["token"],
        }
        hooks = {"response": [written.note]}
        with (
            combine_serve(tmp_path, written, environment) as url,
            httpx2.Client(base_url=url, event_hooks=hooks, timeout=30, trust_env=False) as client,
        ):
            Driver(client, issuer, llm, written).use_it_all(server.crash, server.start)
        sent = [
            request[name] for request in issuer.token_requests for name in ("code", "code_verifier") if name in request
        ]
    written.rows = stored(server.url)
    assert b'"route": "/api/v1/executions/{execution_id}"' in written.output["stderr"]
    assert len(written.given_out) > 10
    assert len(at_the_provider) >= 4
    secrets = {*SECRETS.values(), *WRONG.values(), *written.given_out, *at_the_provider, *sent} - {"wrong"}
    hits = {secret: written.holds(secret) - written.given_out.get(secret, set()) for secret in secrets}
    assert {secret: places for secret, places in hits.items() if places} == {}
    assert b"Traceback" not in written.output["stdout"]
    for secret, places in written.given_out.items():
        assert places
        assert all(secret in written.answers[place] for place in places)


def test_the_search_finds_planted_secrets(server):
    """In a response, in the output, and in each type of column."""
    secret = "canary-to-be-found"
    written = Written()
    written.answers["1"] = f"etag: {secret}"
    written.output["stderr"].extend(f"x {secret}".encode())
    with psycopg.connect(server.url) as connection:
        connection.execute("INSERT INTO blobs (sha256, body) VALUES ('x', %s)", [secret.encode()])
        connection.execute("INSERT INTO projects (id, name) VALUES (gen_random_uuid(), %s)", [secret])
        connection.execute("INSERT INTO audit (action, data) VALUES ('x', %s)", [json.dumps({"a": secret})])
    written.rows = stored(server.url)
    assert written.holds(secret) == {"1", "stderr", "blobs.body", "projects.name", "audit.data"}

"""Who may do what at a server, as the command line says it; and ``combine tokens``."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from uuid import UUID

import httpx2
import psycopg
import pytest
from serve_process import ServeProcess
from town import Town

from combine.auth.permissions import Scope
from combine.cli.app import global_options_first
from combine.services.tokens import TokenService
from combine.storage.core.database import Database

TOKEN = re.compile(r"cmb_\S{49}")
OFFLINE = ("--model", "offline", "--no-questions")


@dataclass
class People:
    """Three people around a project of Ada's, in which Vera only looks."""

    cli: object
    server: object
    tokens: dict[str, str]

    def __call__(self, who, *arguments, **environment):
        given = {"COMBINE_SERVER": self.server.url, "COMBINE_DATABASE_URL": "", **environment}
        if who is not None:
            given["COMBINE_TOKEN"] = self.tokens.get(who, who)
        return self.cli.here(*global_options_first(list(arguments)), **given)


@pytest.fixture(scope="module")
def people(module_cli, module_database_url):
    async def settle():
        database = Database(module_database_url)
        town = Town(database)
        actors = {name: await town.person(name) for name in ("ada", "vera", "sten")}
        await town.project("Shop", members={actors["ada"]: "owner", actors["vera"]: "viewer"})
        tokens = {}
        for name, actor in actors.items():
            for scope in Scope:
                made = await TokenService(database, actor=actor).create(f"{name} {scope}", scope)
                tokens[name if scope is Scope.ADMIN else f"{name} {scope}"] = made.secret
        await database.close()
        return tokens

    tokens = asyncio.run(settle())
    plenty = {"COMBINE_RATE_LIMIT_SIGN_IN": "9999/second", "COMBINE_RATE_LIMIT_TOKENS": "9999/second"}
    server = ServeProcess(module_cli.env() | plenty, module_cli.folder).start("--no-worker")
    yield People(module_cli, server, tokens)
    server.stop()


def refused(result, *words, code=2):
    assert (result.code, result.out) == (code, ""), result.err
    for word in words:
        assert word in result.err
    assert "Traceback" not in result.err


def test_without_a_token_it_is_said_how_to_get_one(people):
    refused(people(None, "list"), "COMBINE_TOKEN", "combine tokens create", "/api/v1/tokens")


@pytest.mark.parametrize("token", ["cmb_wrong", "nonsense", "cmb_" + "a" * 49])
def test_a_wrong_token(people, token):
    refused(people(token, "list"), "Unknown token", "COMBINE_TOKEN")


@pytest.mark.parametrize("token", ["a b", "cmb_ü", "line\nline"])
def test_what_cannot_be_a_token_is_not_sent(people, token):
    refused(people(token, "list"), "COMBINE_TOKEN")


def test_an_expired_and_a_revoked_token(people, module_database_url):
    made = people("sten", "tokens", "create", "short-lived", "--scope", "read", "--days", "1", "--json").json
    assert people(made["secret"], "list").code == 0
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE api_tokens SET created_at = created_at - interval '9 d', expires_at = now() - interval '1 s'"
            " WHERE id = %s",
            [made["token"]["id"]],
        )
    refused(people(made["secret"], "list"), "expired", "COMBINE_TOKEN")
    other = people("sten", "tokens", "create", "lost", "--scope", "read").out.strip()
    listed = people("sten", "tokens", "list")
    assert re.search(r"lost .* valid", listed.out)
    assert re.search(r"short-lived .* expired", listed.out)
    [lost] = [one for one in people("sten", "tokens", "list", "--json").json if one["name"] == "lost"]
    assert lost["id"][:8] in people("sten", "tokens", "revoke", lost["id"][:8]).out
    refused(people(other, "list"), "revoked")
    assert re.search(r"lost .* revoked", people("sten", "tokens", "list").out)
    assert people("sten", "tokens", "revoke", lost["id"]).code == 0, "twice is once"


def test_a_secret_alone_goes_to_stdout_and_lists_hold_none(people):
    made = people("ada", "tokens", "create", "for a script", "--scope", "run")
    assert TOKEN.fullmatch(made.out.strip())
    assert "for a script" in made.err
    assert made.out.strip() not in made.err
    listed = people("ada", "tokens", "list", "--json")
    assert not TOKEN.search(listed.out)
    assert {one["scope"] for one in listed.json} == {"read", "run", "admin"}


def test_tokens_of_others_are_for_the_command_line_on_the_database(people):
    refused(people("ada", "tokens", "create", "x", "--user", "vera@example.org"), "--user")
    refused(people("ada", "tokens", "list", "--user", "vera@example.org"), "--user")
    here = people.cli.here
    made = here("tokens", "create", "by the operator", "--scope", "read", "--user", "vera@example.org").out.strip()
    assert people(made, "projects", "list").code == 0
    [theirs] = [
        one for one in here("tokens", "list", "--user", "vera@example.org", "--json").json if "by the" in one["name"]
    ]
    assert "by the operator" in people("vera", "tokens", "list").out
    refused(people("ada", "tokens", "revoke", theirs["id"]), "There is no")
    assert here("tokens", "revoke", theirs["id"]).code == 0
    refused(here("tokens", "list", "--user", "nobody@example.org"), "nobody@example.org")


def test_the_token_of_local_mode_needs_no_user(people):
    made = people.cli.here("tokens", "create", "laptop", "--json").json
    assert people(made["secret"], "doctor").code == 0
    assert "laptop" in people.cli.here("tokens", "list").out


def test_a_token_to_read_starts_nothing(people):
    refused(people("ada read", "run", people.cli.brief, *OFFLINE, "--project", "Shop"), "scope read; run is required")
    refused(people("ada read", "run", people.cli.brief, *OFFLINE, "--project", "New"), "scope read; run is required")
    refused(people("ada run", "tokens", "create", "more"), "admin is required")
    refused(people("ada run", "projects", "budget", "Shop", "5"), "admin is required")


def test_a_viewer_looks_and_starts_nothing(people):
    assert "Shop" in people("vera", "projects", "list").out
    refused(people("vera", "run", people.cli.brief, *OFFLINE, "--project", "Shop"), "viewer", "editor is required")
    assert people("vera", "list").out.startswith("No executions")


def test_others_see_nothing_and_are_told_nothing(people):
    begun = people("ada", "run", people.cli.brief, *OFFLINE, "--project", "Secret", "--estimate")
    assert begun.code == 0
    execution = start(people, "ada", "Secret")
    assert execution in people("ada", "list", "--json").out
    assert execution not in people("sten", "list", "--json").out
    for command in (
        ["show", execution],
        ["watch", execution],
        ["cancel", execution],
        ["answer", execution, "--no-questions"],
    ):
        refused(people("sten", *command), "There is no execution")
    refused(people("sten", "docs", "list", "--project", "Secret"), "There is no project")
    refused(people("sten", "run", people.cli.brief, *OFFLINE, "--project", "Secret"), "is taken", "invite")
    cancelled = people("ada run", "cancel", execution)
    assert cancelled.code == 0, cancelled.err


def start(people, who, project):
    """Without waiting for it: there is no worker."""
    headers = {"Authorization": f"Bearer {people.tokens[who]}"}
    with httpx2.Client(base_url=people.server.url, headers=headers, trust_env=False) as client:
        made = client.post("/api/v1/projects", json={"name": project}).json()
        body = {"project_id": made["id"], "brief": "Sell bread to everybody who comes.", "model": "offline"}
        return client.post("/api/v1/executions", json=body).json()["execution"]["id"]


def test_the_doctor_says_who_one_is(people):
    well = people("ada", "doctor")
    assert well.code == 0, well.err
    assert "ada <ada@example.org>, member of the installation; token scope: admin" in well.out
    assert "(set, not shown)" in well.out
    found = people("ada read", "doctor", "--json").json
    assert (found["server"]["ok"], found["you"]["scope"]) == (True, "read")
    assert UUID(found["you"]["user"]["id"])
    for unknown in (None, "cmb_wrong"):
        stranger = people(unknown, "doctor", "--json")
        assert (stranger.code, stranger.json["you"], stranger.json["server"]["ok"]) == (2, None, True)
    away = people("ada", "doctor", "--server", "http://127.0.0.1:9", "--json")
    assert (away.code, away.json["server"]["version"]) == (1, None)


def test_the_secret_is_in_nothing_that_is_said(people):
    token = people.tokens["ada"]
    for arguments in (["list"], ["doctor"], ["doctor", "--json"], ["tokens", "list"], ["show", "ffffffff"]):
        result = people("ada", *arguments)
        assert token not in result.out + result.err
    for url in ("https://user:geheim@example.org", "http://user:geheim@127.0.0.1:1"):
        assert "geheim" not in people("ada", "list", "--server", url).err


@pytest.mark.parametrize("command", ["serve", "worker", "db status", "db upgrade", "db stop"])
def test_what_is_done_on_the_machine_is_not_done_at_a_server(people, command):
    refused(people("ada", *command.split()), f"combine {command}", "COMBINE_SERVER")


@pytest.mark.parametrize("command", ["list", "docs list", "costs", "projects list", "workflows list", "tokens list"])
def test_no_database_driver_is_loaded_to_look_at_a_server(people, command):
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "combine", *command.split(), "--server", people.server.url],
        env=people.cli.env() | {"COMBINE_TOKEN": people.tokens["ada"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "combine.cli.remote.backend" in loaded.stderr
    assert not {name for name in ("sqlalchemy", "psycopg", "dbos", "anthropic", "fastapi") if name in loaded.stderr}


def test_an_empty_server_is_none(people):
    assert (
        json.loads(people.cli.here("--server", "", "list", "--json", COMBINE_SERVER="https://example.org").out)
        is not None
    )

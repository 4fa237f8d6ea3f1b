"""What is wrong with a request is reported with its place, and nothing that is wrong is ignored."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any

import pytest
from api_server import api_server, new_database
from api_world import Person, World

from combine.api.application import operations
from combine.main import create_app
from combine.settings import Settings

DOCUMENT = create_app(Settings()).openapi()
OPERATIONS = dict(operations(DOCUMENT))
WITH_A_BODY = [name for name, one in OPERATIONS.items() if "requestBody" in one]
JSON = {"Content-Type": "application/json"}
SOMEBODY = "3afba815-6f0b-4c9e-9d55-0c9bb3a5a0b1"
PROJECTS = "POST /api/v1/projects"
TOKENS = "POST /api/v1/tokens"
EXECUTIONS = "POST /api/v1/executions"
GOOD = json.dumps({"name": "Shop"}).encode()


@dataclass
class Sender:
    world: World
    client: Any
    person: Person
    project_id: Any

    def send(self, route, *, headers=None, **given):
        method, path = route.split(" ")
        path = path.replace("{execution_id}", SOMEBODY[:8])
        while "{" in path:
            before, _, rest = path.partition("{")
            path = f"{before}{SOMEBODY}{rest.partition('}')[2]}"
        mine = {"Authorization": f"Bearer {self.person.token}"}
        return self.client.request(method, path, headers={**mine, **(headers or {})}, **given)


@pytest.fixture(scope="module")
def sender(shared_server_url):
    with new_database(shared_server_url) as url, api_server(url) as server, server.client() as client:
        world = World(server)
        person = world.person("sender", role="admin")
        yield Sender(world, client, person, world.project("project", {person.id: "owner"}))


def error(response):
    return response.json()["error"]


def faults(response):
    assert response.status_code == 422, response.text
    assert error(response)["code"] == "request_invalid"
    return {one["location"]: one["message"] for one in error(response)["details"]["faults"]}


@pytest.mark.parametrize("route", WITH_A_BODY)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_a_body_of_another_type_is_refused(sender, route, kind):
    found = sender.send(route, content=b"{}", headers={} if kind is None else {"Content-Type": kind})
    assert (found.status_code, error(found)["code"]) == (415, "unsupported_media_type")
    assert "Content-Type: application/json" in error(found)["details"]["hint"]
    assert "415" in OPERATIONS[route]["responses"]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"])
def test_json_by_its_other_names_is_accepted(sender, kind):
    content = json.dumps({"name": sender.world.fresh("shop")})
    assert sender.send(PROJECTS, content=content, headers={"Content-Type": kind}).status_code == 201


def test_a_compressed_body_is_refused(sender):
    found = sender.send(PROJECTS, content=gzip.compress(GOOD), headers={**JSON, "Content-Encoding": "gzip"})
    assert (found.status_code, error(found)["code"]) == (415, "unsupported_media_type")
    assert "Content-Encoding" in error(found)["details"]["hint"]


@pytest.mark.parametrize(
    ("content", "key_word"),
    [
        (b'{"name": "\xff"}', "UTF-8 at byte 11"),
        ('{"name": "Shop"}'.encode("utf-16"), "UTF-8 at byte 1"),
        (b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
        (b'{"name": ' + b"1" * 5000 + b"}", "digits"),
        (b'{"name": "Shop",}', "line 1 column 17"),
        (b'{\n"name" "Shop"}', "line 2 column 8"),
        (b'{"name": "Shop"} x', "line 1 column 18"),
        (b'{"name": "Shop', "line 1 column 10"),
        (b"[]", "object"),
        (b"null", "object"),
        (b"", "required"),
    ],
)
def test_a_body_that_cannot_be_read_says_why_and_where(sender, content, key_word):
    [(location, message)] = faults(sender.send(PROJECTS, content=content, headers=JSON)).items()
    assert location == "body"
    assert key_word in message


def test_a_byte_order_mark_is_ignored(sender):
    content = b"\xef\xbb\xbf" + json.dumps({"name": sender.world.fresh("shop")}).encode()
    assert sender.send(PROJECTS, content=content, headers=JSON).status_code == 201


@pytest.mark.parametrize(
    ("route", "body", "location"),
    [
        (PROJECTS, {}, "body.name"),
        (PROJECTS, {"name": ""}, "body.name"),
        (PROJECTS, {"name": 1}, "body.name"),
        (PROJECTS, {"name": "x" * 121}, "body.name"),
        (PROJECTS, {"name": "x", "size": 1}, "body.size"),
        (PROJECTS, {"name": "\0"}, "body"),
        (PROJECTS, {"name": "\x01"}, "body"),
        (PROJECTS, {"name": "x", "budget_usd": "1e3"}, "body.budget_usd"),
        (TOKENS, {"name": "x", "scope": "all"}, "body.scope"),
        (TOKENS, {"name": "x", "expires_in_days": 400}, "body.expires_in_days"),
        (TOKENS, {"name": "x", "expires_in_days": "1"}, "body.expires_in_days"),
        (EXECUTIONS, {"brief": "Sell bread."}, "body"),
        (EXECUTIONS, {"brief": "Sell bread.", "project_id": "x"}, "body.project_id"),
        (EXECUTIONS, {"brief": "Sell bread.", "project": "x", "ask": 1}, "body.ask"),
        (f"{EXECUTIONS}/{{execution_id}}/answers", {"answers": []}, "body.answers"),
        (f"{EXECUTIONS}/{{execution_id}}/answers", {"answers": {"Q-1": "\x1b[1m"}}, "body"),
    ],
)
def test_a_fault_of_a_field_is_reported_with_its_place(sender, route, body, location):
    assert faults(sender.send(route, json=body)).keys() == {location}


@pytest.mark.parametrize(
    "brief",
    ["Sell \x1b[1mbread.", "Sell\0bread."],
)
def test_a_control_character_in_a_brief_is_reported_with_its_line_and_column(sender, brief):
    for route, more in ((EXECUTIONS, {"project": "x"}), ("POST /api/v1/estimates", {})):
        found = sender.send(route, json={"brief": brief, **more})
        assert (found.status_code, error(found)["code"]) == (422, "brief_binary")
        assert error(found)["details"]["line"] == 1
        assert error(found)["details"]["hint"]


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("executions/3af", "path.execution_id"),
        ("executions/zzzz", "path.execution_id"),
        ("projects/shop", "path.project_id"),
        ("documents/a", "path.document_id"),
        ("projects?limit=0", "query.limit"),
        ("projects?limit=x", "query.limit"),
        ("projects?limit=1_0", "query.limit"),
        ("projects?cursor=", "query.cursor"),
        ("costs?since=today", "query.since"),
        ("costs?since=0", "query.since"),
    ],
)
def test_a_fault_of_a_path_or_query_is_reported_with_its_place(sender, path, location):
    assert faults(sender.send(f"GET /api/v1/{path}")).keys() == {location}


@pytest.mark.parametrize("action", ["accept", "resume"])
@pytest.mark.parametrize("headers", [{}, JSON])
def test_where_every_field_is_optional_no_body_is_needed(sender, action, headers):
    make = sender.world.at_a_gate if action == "accept" else sender.world.failed
    url = f"POST /api/v1/executions/{make(sender.project_id)}/{action}"
    assert sender.send(url, headers=headers).status_code == 200
    assert not OPERATIONS[f"POST /api/v1/executions/{{execution_id}}/{action}"]["requestBody"].get("required", False)


@pytest.mark.parametrize("route", [name for name in OPERATIONS if name.startswith("GET /api/v1/")])
def test_an_unknown_parameter_is_refused_with_the_known_ones(sender, route):
    names = sorted(one["name"] for one in OPERATIONS[route].get("parameters", ()) if one["in"] == "query")
    found = faults(sender.send(route, params={"satus": "running"}))
    assert found.keys() == {"query.satus"}
    assert ", ".join(names) in found["query.satus"]


def test_nobody_learns_about_parameters_without_signing_in(sender):
    assert sender.client.get("/api/v1/projects", params={"foo": "bar"}).status_code == 401


def test_monitoring_may_send_any_parameter(sender):
    assert sender.client.get("/health", params={"now": "1"}).status_code == 200

"""What is wrong with a request is said in words that help, and nothing that is wrong is passed over."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any

import pytest
from api_server import api_server, new_database
from api_world import Person, World

from combine.api.openapi import operations
from combine.main import create_app
from combine.settings import Settings

DOCUMENT = create_app(Settings()).openapi()
OPERATIONS = dict(operations(DOCUMENT))
WITH_A_BODY = [name for name, one in OPERATIONS.items() if "requestBody" in one]
JSON = {"Content-Type": "application/json"}
SOMEBODY = "3afba815-6f0b-4c9e-9d55-0c9bb3a5a0b1"
PROJECTS = "POST /api/v1/projects"
GOOD = json.dumps({"name": "Shop"}).encode()


@dataclass
class Asking:
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
def asking(shared_server_url):
    with new_database(shared_server_url) as url, api_server(url) as server, server.client() as client:
        world = World(server)
        person = world.person("asking", role="admin")
        yield Asking(world, client, person, world.project("project", {person.id: "owner"}))


def error(response):
    return response.json()["error"]


def faults(response):
    assert response.status_code == 422, response.text
    return {one["location"]: one["message"] for one in error(response)["details"]["faults"]}


@pytest.mark.parametrize("route", WITH_A_BODY)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_a_body_of_another_kind_is_refused_by_name(asking, route, kind):
    found = asking.send(route, content=b"{}", headers={} if kind is None else {"Content-Type": kind})
    assert (found.status_code, error(found)["code"]) == (415, "unsupported_media_type")
    assert "Content-Type: application/json" in error(found)["details"]["hint"]
    assert "415" in OPERATIONS[route]["responses"]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"])
def test_json_by_its_other_names_is_taken(asking, kind):
    content = json.dumps({"name": asking.world.fresh("shop")})
    assert asking.send(PROJECTS, content=content, headers={"Content-Type": kind}).status_code == 201


def test_a_compressed_body_is_refused(asking):
    found = asking.send(PROJECTS, content=gzip.compress(GOOD), headers={**JSON, "Content-Encoding": "gzip"})
    assert (found.status_code, error(found)["code"]) == (415, "unsupported_media_type")
    assert "compressed" in error(found)["message"].lower()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"name": "\xff"}', "this is no UTF-8: byte 11 does not belong there"),
        ('{"name": "Shop"}'.encode("utf-16"), "this is no UTF-8: byte 1 does not belong there"),
        (b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "this is nested too deeply"),
        (b'{"name": ' + b"1" * 5000 + b"}", "a number in it has too many digits"),
        (b'{"name": "Shop",}', "this is no JSON: line 1, column 17: a name in double quotes is wanted"),
        (b'{\n"name" "Shop"}', 'this is no JSON: line 2, column 8: a ":" is wanted'),
        (b'{"name": "Shop"} x', "this is no JSON: line 1, column 18: there is more behind the end"),
        (b'{"name": "Shop', "this is no JSON: line 1, column 10: a text that begins here does not end"),
        (b'{"name": }', "this is no JSON: line 1, column 10: a value is wanted"),
        (b"[]", "a JSON object is wanted"),
        (b"null", "a JSON object is wanted"),
        (b"", "this is needed"),
    ],
)
def test_what_cannot_be_read_says_why(asking, content, words):
    assert faults(asking.send(PROJECTS, content=content, headers=JSON)) == {"body": words}


def test_a_byte_order_mark_does_no_harm(asking):
    content = b"\xef\xbb\xbf" + json.dumps({"name": asking.world.fresh("shop")}).encode()
    assert asking.send(PROJECTS, content=content, headers=JSON).status_code == 201


@pytest.mark.parametrize(
    ("route", "body", "expected"),
    [
        (PROJECTS, {}, {"body.name": "this is needed"}),
        (PROJECTS, {"name": ""}, {"body.name": "this is empty"}),
        (PROJECTS, {"name": 1}, {"body.name": "a text is wanted"}),
        (PROJECTS, {"name": "x" * 121}, {"body.name": "this is too long: at most 120 characters are possible"}),
        (PROJECTS, {"name": "x", "size": 1}, {"body.size": "there is no such field"}),
        (PROJECTS, {"name": "\0"}, {"body": "text must not contain control characters or lone surrogates"}),
        (
            "POST /api/v1/tokens",
            {"name": "x", "scope": "all"},
            {"body.scope": "it is one of: 'read', 'run' or 'admin'"},
        ),
        (
            "POST /api/v1/tokens",
            {"name": "x", "expires_in_days": 400},
            {"body.expires_in_days": "at most 365 is possible"},
        ),
        (
            "POST /api/v1/tokens",
            {"name": "x", "expires_in_days": "1"},
            {"body.expires_in_days": "a whole number is wanted"},
        ),
        (
            "POST /api/v1/executions",
            {"brief": "Sell bread."},
            {"body": "the project is named by project_id or by project"},
        ),
        (
            "POST /api/v1/executions",
            {"brief": "Sell bread.", "project_id": "x"},
            {"body.project_id": f'an id is wanted: "{SOMEBODY}"'},
        ),
        (
            "POST /api/v1/executions",
            {"brief": "Sell bread.", "project": "x", "ask": 1},
            {"body.ask": "true or false is wanted"},
        ),
        (
            "POST /api/v1/executions/{execution_id}/answers",
            {"answers": []},
            {"body.answers": "a JSON object is wanted"},
        ),
    ],
)
def test_faults_of_fields_are_said_in_our_words(asking, route, body, expected):
    assert faults(asking.send(route, json=body)) == expected


SHORT = "an id is wanted, or its beginning: at least four hexadecimal digits"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("executions/3af", {"path.execution_id": SHORT}),
        ("executions/zzzz", {"path.execution_id": SHORT}),
        ("projects/shop", {"path.project_id": f'an id is wanted: "{SOMEBODY}"'}),
        ("documents/a", {"path.document_id": "a document's id is wanted, or its beginning of at least four characters; "
                                            "or a document type"}),
        ("projects?limit=0", {"query.limit": "at least 1 is wanted"}),
        ("projects?limit=x", {"query.limit": "a whole number is wanted"}),
        ("projects?cursor=", {"query.cursor": "this is empty"}),
        ("costs?since=today", {"query.since": "a day is wanted: 2026-02-28"}),
    ],
)  # fmt: skip
def test_faults_of_paths_and_queries_are_said_in_our_words(asking, path, expected):
    assert faults(asking.send(f"GET /api/v1/{path}")) == expected


def test_the_words_are_nobody_elses(asking):
    """Whatever is sent to any route: no word of a library's comes back."""
    bad = [None, 1, [], "", {"answers": 1, "brief": 1, "x": 1, "role": 1, "action": 1, "from_step": 1, "name": []}]
    for route in WITH_A_BODY:
        for body in bad:
            text = asking.send(route, json=body).text
            assert "Input should" not in text, text
            assert "String should" not in text, text
            assert "Value error" not in text, text


@pytest.mark.parametrize("action", ["accept", "resume"])
@pytest.mark.parametrize("headers", [{}, JSON])
def test_where_all_is_optional_no_body_is_needed(asking, action, headers):
    make = asking.world.at_a_gate if action == "accept" else asking.world.failed
    url = f"POST /api/v1/executions/{make(asking.project_id)}/{action}"
    assert asking.send(url, headers=headers).status_code == 200
    assert not OPERATIONS[f"POST /api/v1/executions/{{execution_id}}/{action}"]["requestBody"].get("required", False)


@pytest.mark.parametrize("route", [name for name in OPERATIONS if name.startswith("GET /api/v1/")])
def test_a_parameter_that_is_unknown_is_refused(asking, route):
    names = sorted(one["name"] for one in OPERATIONS[route].get("parameters", ()) if one["in"] == "query")
    known = f"there is no such parameter; known are {', '.join(names)}" if names else "no parameter is known here"
    assert faults(asking.send(route, params={"satus": "running"})) == {"query.satus": known}


def test_nobody_learns_about_parameters_without_signing_in(asking):
    assert asking.client.get("/api/v1/projects", params={"foo": "bar"}).status_code == 401


def test_those_who_watch_may_send_what_they_like(asking):
    assert asking.client.get("/health", params={"now": "1"}).status_code == 200

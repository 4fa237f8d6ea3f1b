"""Request bodies: sizes, characters, types and fields, on every route that takes a body."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from api_server import api_server, new_database
from api_world import Person, World

from combine.api.application import operations
from combine.brief.reading import MAX_BRIEF_BYTES
from combine.main import create_app
from combine.settings import Settings

DOCUMENT = create_app(Settings()).openapi()
START = "POST /api/v1/executions"
SOMEBODY = str(uuid4())
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/v1/projects": {"name": "Shop", "budget_usd": "5"},
    "PATCH /api/v1/projects/{project_id}": {"budget_usd": "5"},
    "PUT /api/v1/projects/{project_id}/members/{user_id}": {"role": "viewer"},
    "POST /api/v1/projects/{project_id}/invitations": {"email": "ada@example.org", "role": "viewer"},
    START: {
        "workflow_id": "strategy-document",
        "project_id": SOMEBODY,
        "brief": "Sell bread.",
        "answers": {"Q-1": "Yes."},
        "model": "offline",
        "budget_usd": "5",
        "ask": True,
        "allow_unpriced": False,
    },
    "POST /api/v1/executions/{execution_id}/answers": {"answers": {"Q-1": "Yes."}, "decide_rest": False},
    "POST /api/v1/executions/{execution_id}/accept": {"step_id": "discovery"},
    "POST /api/v1/executions/{execution_id}/reject": {"reason": "Too short.", "step_id": "discovery"},
    "POST /api/v1/executions/{execution_id}/decide": {"action": "try_again", "guidance": "Say who bakes."},
    "POST /api/v1/executions/{execution_id}/resume": {"budget_usd": "5", "allow_unpriced": False},
    "POST /api/v1/executions/{execution_id}/fork": {
        "from_step": "review",
        "model": "offline",
        "budget_usd": "5",
        "allow_unpriced": False,
    },
    "POST /api/v1/executions/{execution_id}/calls/{call_id}/settle": {"usd": "5"},
    "POST /api/v1/estimates": {"workflow_id": "strategy-document", "brief": "Sell bread.", "model": "offline"},
    "POST /api/v1/tokens": {"name": "laptop", "scope": "read", "expires_in_days": 90},
    "PUT /api/v1/users/{user_id}/role": {"role": "member"},
}
"""A valid one of each, with all its fields."""
WITHOUT_A_BODY = {f"POST /api/v1/executions/{{execution_id}}/{action}" for action in ("accept", "resume")}
"""No body means the same as an empty object: test_invalid_requests.py."""


@dataclass
class Sender:
    world: World
    client: Any
    person: Person
    project_id: Any
    execution_id: Any

    def send(self, route, *, headers=None, **given):
        method, path = route.split(" ")
        values = {"project_id": self.project_id, "execution_id": self.execution_id, "user_id": SOMEBODY}
        values["call_id"] = SOMEBODY
        mine = {"Authorization": f"Bearer {self.person.token}"}
        return self.client.request(method, path.format(**values), headers={**mine, **(headers or {})}, **given)

    def brief(self, text, **given):
        return self.send(START, json={"project_id": str(self.project_id), "brief": text, "model": "offline"}, **given)


@pytest.fixture(scope="module")
def sender(shared_server_url):
    with new_database(shared_server_url) as url, api_server(url) as server, server.client() as client:
        world = World(server)
        person = world.person("sender", role="admin")
        project_id = world.project("project", {person.id: "owner"})
        yield Sender(world, client, person, project_id, world.queued(project_id))


def code(response):
    return response.status_code, response.json()["error"]["code"]


def leaves(body, path=()):
    """The path to every text and every key of a mapping of texts."""
    for name, value in body.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))
        elif isinstance(value, str):
            yield (*path, name)


def with_leaf(body, path, value):
    changed = copy.deepcopy(body)
    place = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return changed


def test_every_route_with_a_body_is_here_with_all_its_fields():
    schemas = DOCUMENT["components"]["schemas"]
    taken = {
        name: schemas[one["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]
        for name, one in operations(DOCUMENT)
        if "requestBody" in one
    }
    fields = {name: set(schema["properties"]) for name, schema in taken.items()}
    fields[START].remove("project")  # instead of its id: test_starts_by_name.py
    assert fields == {name: set(body) for name, body in BODIES.items()}
    assert [name for name, schema in taken.items() if schema["additionalProperties"]] == []


@pytest.mark.parametrize("route", BODIES)
@pytest.mark.parametrize("escaped", ["\\u0000", "a\\u0000b", "\\ud800", "\\udfff x", "\\ude00\\ud83d"])
def test_unstorable_text_is_refused_in_every_field(sender, route, escaped):
    for path in leaves(BODIES[route]):
        body = json.dumps(with_leaf(BODIES[route], path, "@@")).replace("@@", escaped)
        found = sender.send(route, content=body, headers={"Content-Type": "application/json"})
        codes = {"brief_binary", "brief_encoding"} if path == ("brief",) and "0000" in escaped else {"request_invalid"}
        status, found_code = code(found)
        assert (status, found_code in codes) == (422, True), (path, found.text)


@pytest.mark.parametrize("escaped", ["Q\\u0000", "\\ud800"])
def test_unstorable_text_is_refused_in_keys(sender, escaped):
    body = json.dumps({"answers": {"@@": "Yes."}}).replace("@@", escaped)
    route = "POST /api/v1/executions/{execution_id}/answers"
    found = sender.send(route, content=body, headers={"Content-Type": "application/json"})
    assert code(found) == (422, "request_invalid")


@pytest.mark.parametrize("route", BODIES)
def test_an_unknown_field_is_reported(sender, route):
    found = sender.send(route, json=BODIES[route] | {"user_id": SOMEBODY})
    assert code(found) == (422, "request_invalid")
    assert [one["location"] for one in found.json()["error"]["details"]["faults"]] == ["body.user_id"]


@pytest.mark.parametrize("route", BODIES)
def test_values_of_another_type_are_not_converted(sender, route):
    wrong = {str: [1, True, [], {}], bool: ["true", 1, 0, "yes", []], int: ["90", True, 1.5, []], dict: ["", [], 1]}
    for name, value in BODIES[route].items():
        for other in wrong[type(value)]:
            if name in {"budget_usd", "usd"} and other == 1:
                continue
            found = sender.send(route, json=BODIES[route] | {name: other})
            assert code(found) == (422, "request_invalid"), (name, other)


@pytest.mark.parametrize("route", BODIES)
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/json"),
        (b"null", "application/json"),
        (b"[]", "application/json"),
        (b'"x"', "application/json"),
        (b"{", "application/json"),
        (b'{"a": 1} x', "application/json"),
        (b'{"name": "\xff"}', "application/json"),
        (b"name=x", "application/x-www-form-urlencoded"),
        (b"{}", "text/plain"),
        (b"{}", ""),
    ],
)
def test_a_body_that_is_not_a_json_object_is_refused(sender, route, content, kind):
    if content == b"" and route in WITHOUT_A_BODY:
        return
    found = sender.send(route, content=content, headers={"Content-Type": kind})
    assert found.status_code == (422 if kind == "application/json" else 415), found.text
    assert found.json()["error"]["request_id"] == found.headers["x-request-id"]


def test_a_body_is_optional_where_none_is_expected(sender):
    execution_id = sender.world.queued(sender.project_id)
    url = f"POST /api/v1/executions/{execution_id}/cancel"
    found = sender.send(url, content=b"not even JSON", headers={"Content-Type": "application/json"})
    assert found.status_code == 200


@pytest.mark.parametrize("letter", ["a", "ä", "€", "😀"])
@pytest.mark.parametrize("ascii_only", [True, False], ids=["escaped", "as it is"])
def test_a_brief_may_have_200_kb_in_utf_8_and_not_a_byte_more(sender, letter, ascii_only):
    size = len(letter.encode())
    word = letter * 19 + " "
    text = (word * (MAX_BRIEF_BYTES // len(word.encode()) + 1)).encode()[: MAX_BRIEF_BYTES - 4].decode(errors="ignore")
    text += "b" * (MAX_BRIEF_BYTES - len(text.encode()))
    assert len(text.encode()) == MAX_BRIEF_BYTES
    headers = {"Content-Type": "application/json"}

    def start(brief):
        body = {"brief": brief, "model": "offline"}
        content = json.dumps(body, ensure_ascii=ascii_only).encode()
        return sender.send("POST /api/v1/estimates", content=content, headers=headers)

    assert start(text).status_code == 200
    over = start(text + "b")
    assert code(over) == (422, "request_invalid" if size == 1 else "brief_too_large")


def test_a_brief_of_full_size_is_stored_letter_by_letter(sender):
    text = ("Über Brötchen: 5 € für 10 Stück. 😀 " * 10_000).encode()[:MAX_BRIEF_BYTES].decode(errors="ignore")
    found = sender.brief(text)
    assert found.status_code == 201, found.text
    query = "SELECT content ->> 'text' AS text FROM documents WHERE type = 'brief' AND status = 'active'"
    assert text in {row.text for row in sender.world.sql(query)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x02", "brief_binary"),
        ("Sell bread.\x1b[31m", "brief_binary"),
        ("...", "brief_empty"),
        (" \n\t ", "brief_empty"),
        ("\ufeff", "brief_empty"),
    ],
)
def test_a_brief_that_cannot_be_read_says_why(sender, text, expected):
    assert code(sender.brief(text)) == (422, expected)


@pytest.mark.parametrize(
    "text", ["\ufeffSell bread.", "Sell bread.\r\nAnd rolls.", "# Bread\n\n- rolls\n- buns", "a", "٣"]
)
def test_a_valid_brief_is_accepted(sender, text):
    assert sender.brief(text).status_code == 201


@pytest.mark.parametrize("amount", ["0", "0.0", 0, "0.000000", 0.0000001])
def test_a_budget_of_zero_is_refused(sender, amount):
    assert code(sender.send("POST /api/v1/projects", json={"name": "x", "budget_usd": amount})) == (
        422,
        "budget_invalid",
    )


@pytest.mark.parametrize(
    "amount",
    [
        "-1",
        -1,
        "1e3",
        "1,5",
        "",
        " 1",
        "1 ",
        "+1",
        "1.",
        ".5",
        "1.0000001",
        "10000000",
        10_000_000,
        "NaN",
        "٣",
        "1_0",
        True,
    ],
)
def test_an_amount_has_one_format(sender, amount):
    found = sender.send("POST /api/v1/projects", json={"name": "x", "budget_usd": amount})
    assert code(found) == (422, "request_invalid")


@pytest.mark.parametrize("amount", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 400])
def test_an_amount_is_finite(sender, amount):
    content = b'{"name": "x", "budget_usd": ' + amount + b"}"
    found = sender.send("POST /api/v1/projects", content=content, headers={"Content-Type": "application/json"})
    assert found.status_code == 422, found.text


@pytest.mark.parametrize(
    ("amount", "stored"),
    [
        ("1", "1.000000"),
        (1, "1.000000"),
        (0.1, "0.100000"),
        ("0.000001", "0.000001"),
        (1e-6, "0.000001"),
        ("9999999", "9999999.000000"),
    ],
)
def test_an_amount_is_stored_exactly(sender, amount, stored):
    found = sender.send("POST /api/v1/projects", json={"name": sender.world.fresh("x"), "budget_usd": amount})
    assert (found.status_code, found.json()["budget_usd"]) == (201, stored)


@pytest.mark.parametrize("name", [" ", "\t", "a\nb\x07", "\u202e", "x" * 121, "\u200b", "a\x7fb"])
def test_a_project_name_must_be_printable(sender, name):
    assert sender.send("POST /api/v1/projects", json={"name": name}).status_code == 422


@pytest.mark.parametrize(
    "since", ["0", "1700000000", "2026-1-1", "20260101", "2026-02-30", "today", "2026-01-01T00:00:00"]
)
def test_a_day_has_one_format(sender, since):
    assert code(sender.send("GET /api/v1/costs", params={"since": since})) == (422, "request_invalid")


@pytest.mark.parametrize(
    "path",
    [
        "projects/%ff",
        "projects/..%2f..%2fusers",
        "projects/00000000-0000-0000-0000-00000000000g",
        "projects/" + "0" * 5000,
        "executions/%00",
        "executions/%E2%80%AE0000",
        "executions/zzzz",
        "executions/---- ",
        "executions/0000' OR 1=1 --",
        "executions/000",
        "executions/{}",
        "documents/%F0%9F%98%80aaa",
        "documents/a",
        "documents/" + "a" * 81,
        "documents/aaaa;drop",
        "workflows/%0a",
        "workflows/..%2F..%2Fetc%2Fpasswd",
        "workflows/strategy-document/schemas/..%2f..%2fworkflow-definition",
        "tokens/x",
        "users/x/role",
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "POST"])
def test_an_invalid_path_is_the_clients_error(sender, method, path):
    found = sender.client.request(method, f"/api/v1/{path}", headers={"Authorization": f"Bearer {sender.person.token}"})
    assert 400 <= found.status_code < 500, found.text
    assert found.json()["error"]["request_id"] == found.headers["x-request-id"]


@pytest.mark.parametrize("one", ["", "x", "-1", "1.5", str(2**63), "1\u00b2", "null", "9" * 5000])
def test_the_number_of_an_event_must_be_a_number(sender, one):
    url = f"/api/v1/executions/{sender.execution_id}/events"
    mine = {"Authorization": f"Bearer {sender.person.token}"}
    headers = {**mine, "Last-Event-ID": one.encode()}
    assert sender.client.get(url, headers=headers).status_code == 422
    assert sender.client.get(url, params={"after": one}, headers=mine).status_code == 422


def test_a_405_lists_the_allowed_methods(sender):
    mine = {"Authorization": f"Bearer {sender.person.token}"}
    found = {
        path: sender.client.patch(f"/api/v1/{path}", headers=mine)
        for path in ("executions", "documents/brief", f"projects/{sender.project_id}/members/{SOMEBODY}", "me")
    }
    assert {path: (code(one), one.headers["allow"]) for path, one in found.items()} == {
        "executions": ((405, "method_not_allowed"), "GET, HEAD, POST"),
        "documents/brief": ((405, "method_not_allowed"), "GET, HEAD"),
        f"projects/{sender.project_id}/members/{SOMEBODY}": ((405, "method_not_allowed"), "PUT, DELETE"),
        "me": ((405, "method_not_allowed"), "GET, HEAD"),
    }


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/v1", "/api/v1/", "/api/v1/executions/", "/api/v2/me", "/API/v1/me", "//api/v1/me", "/nothing"],
)
def test_an_unknown_route_is_a_404(sender, path):
    found = sender.client.get(path, headers={"Authorization": f"Bearer {sender.person.token}"})
    assert code(found) == (404, "route_not_found")

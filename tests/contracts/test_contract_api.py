"""The HTTP API: its document, and for every route what it answers and how it refuses."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from api_recipes import Scene, open_scene, routes
from api_server import api_server
from shapes import pinned, shape

from combine.main import create_app
from combine.settings import Settings

pytestmark = pytest.mark.timeout(300)  # includes the shared fixture `played`
HEADERS = ("content-disposition", "content-type", "etag", "location", "retry-after", "www-authenticate", "x-request-id")
TEXTS = ("description", "summary", "title", "examples", "example")
"""Of the document: wording, which is not pinned."""


@dataclass
class Seen:
    """What was answered; all of it in one order, since what is listed depends on what was done before."""

    answers: dict[str, Any]
    refusals: dict[str, dict[str, str]]
    error_bodies: dict[str, Any]


@pytest.fixture(scope="module")
def seen(shared_server_url) -> Seen:
    with open_scene(shared_server_url) as scene:
        owner = scene.people["owner"]
        answers = {}
        for route in sorted(routes(), key=lambda route: (route.startswith("GET "), route)):
            if route.startswith("GET "):  # has something to list
                scene.session(owner)
                scene.world.invitation(scene.world.project("new"), owner.email)
            answers[route] = answered(scene, route)
        return Seen(answers, *refused(scene))


def group_of(route: str) -> str:
    found = re.match(r"\w+ /api/v1/([a-z]+)\b(?!\.)", route)
    return found[1] if found else "outside"


GROUPS = defaultdict(list)
for name in sorted(routes()):
    GROUPS[group_of(name)].append(name)


@pytest.mark.parametrize("group", GROUPS)
def test_what_a_route_answers(seen, group):
    pinned(f"api-{group}", {route: seen.answers[route] for route in GROUPS[group]})


def test_how_every_route_refuses(seen):
    pinned("api-refusals", seen.refusals)


def test_the_body_of_every_refusal(seen):
    pinned("api-error-bodies", seen.error_bodies)


def answered(scene: Scene, route: str) -> dict[str, Any]:
    found = scene.ask(route, "owner")
    if found.status_code == 403:
        found = scene.ask(route, "admin")
    assert found.status_code < 400 or route == "GET /login/{provider}/callback", f"{route}: {found.text}"
    given = {name: kind_of(found, name) for name in HEADERS if name in found.headers}
    return {"status": found.status_code, "headers": given, "body": body_of(found, route)}


def kind_of(found: Any, name: str) -> str:
    return found.headers[name] if name == "content-type" else "present"


def body_of(found: Any, route: str) -> Any:
    if route == "GET /metrics":
        return sorted(re.findall(r"^# TYPE (\w+ \w+)$", found.text, re.MULTILINE))
    if not found.content:
        return "empty"
    if found.headers["content-type"] == "application/json" and not route.endswith(("openapi.json", "/recording")):
        return shape(found.json(), key="schema" if "/schemas/" in route else "")
    return "text"


def refused(scene: Scene) -> tuple[dict[str, dict[str, str]], dict[str, Any]]:
    """Status and code of every refusal, and the shape of the body for every code."""
    codes: dict[str, dict[str, str]] = {}
    bodies = defaultdict(list)
    for route in sorted(routes()):
        codes[route] = {kind: code_of(found, bodies) for kind, found in refusals(scene, route) if found.is_error}
        assert codes[route], f"{route} refuses nothing that is tried here"
    codes["any route"] = {kind: code_of(found, bodies) for kind, found in refusals_of_any(scene)}
    return codes, {code: shape(*found) for code, found in sorted(bodies.items())}


def code_of(found: Any, bodies: dict[str, list[Any]]) -> str:
    if found.headers["content-type"] != "application/json":
        return f"{found.status_code} as a page"
    code = found.json()["error"]["code"]
    bodies[code].append(found.json())
    return f"{found.status_code} {code}"


def refusals(scene: Scene, route: str) -> Iterator[tuple[str, Any]]:
    method, path = route.split(" ")
    for actor in ("anonymous", "read", "other"):
        yield actor, scene.ask(route, actor)
    if names := re.findall(r"\{(\w+)\}", path):
        yield "unknown id", scene.ask(route, "admin", path={name: str(uuid4()) for name in names})
    if method in {"POST", "PUT", "PATCH"}:
        yield "unknown key", scene.ask(route, "admin", json={"nonsense": 1})
        yield "no JSON", scene.ask(route, "admin", json=None, content="{", more={"Content-Type": "application/json"})
    if method == "GET":
        yield "wrong query", scene.ask(route, "admin", params={"limit": "many", "cursor": "nonsense", "version": "x"})
    if "{execution_id}" in path:
        yield "completed execution", scene.ask(route, "owner", path={"execution_id": scene.done})
    if method == "DELETE" and names:
        yield "last owner", scene.ask(route, "owner", path={"user_id": scene.people["owner"].id})
    wrong = scene.client.request("LINK", path.replace("{", "").replace("}", ""), headers=scene.headers["admin"])
    yield "wrong method", wrong


def refusals_of_any(scene: Scene) -> Iterator[tuple[str, Any]]:
    client, mine = scene.client, scene.headers["owner"]
    yield "unknown path", client.get("/api/v1/nonsense", headers=mine)
    yield "unknown host", client.get("/api/v1/me", headers={**mine, "Host": "elsewhere.example.org"})
    yield (
        "other media type",
        client.post("/api/v1/projects", headers={**mine, "Content-Type": "text/plain"}, content="a"),
    )
    yield "large body", client.post("/api/v1/projects", headers=mine, json={"name": "n" * 3_000_000})
    foreign = {**scene.session(scene.people["owner"]), "Origin": "https://evil.example.org"}
    yield "other site", client.post("/api/v1/projects", headers=foreign, json={"name": "mine"})


def test_the_document():
    document = create_app(Settings()).openapi()
    pinned("api-document", without_texts({name: document[name] for name in ("paths", "components")}))


def without_texts(value: Any) -> Any:
    if isinstance(value, list):
        return [without_texts(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: without_texts(one)
        for name, one in value.items()
        if name not in TEXTS or not isinstance(one, str | list)  # a property may have such a name, too
    }


@pytest.fixture(scope="module")
def client(played) -> Iterator[Any]:
    """At a server on the database of the scripted execution, as its owner."""
    token = played.cli.here("tokens", "create", "contracts", "--scope", "admin").out.strip()
    with api_server(played.cli.url) as server, server.client(token) as client:
        yield client


def test_the_scripted_execution(played, client):
    execution = f"/api/v1/executions/{played.execution}"
    [document] = [
        one["id"]
        for one in client.get("/api/v1/documents").json()["items"]
        if (one["type"], one["version"]) == ("requirements-doc", 2)
    ]
    paths = {
        "executions": "/api/v1/executions",
        "execution": execution,
        "steps": f"{execution}/steps",
        "documents": "/api/v1/documents",
        "document": f"/api/v1/documents/{document}",
        "versions": f"/api/v1/documents/{document}/versions",
        "diff": f"/api/v1/documents/{document}/diff",
        "costs": "/api/v1/costs?group_by=step",
    }
    found = {name: client.get(path) for name, path in paths.items()}
    assert {name for name, one in found.items() if one.is_error} == set()
    pinned("api-of-the-scripted-execution", {name: shape(one.json()) for name, one in found.items()})


def test_live_events_are_those_that_watch_prints(played, client):
    told = client.get(f"/api/v1/executions/{played.execution}/events").text
    retry, *messages, end = [
        dict(re.findall(r"^(\w+): (.*)$", one, re.MULTILINE)) for one in told.strip().split("\n\n")
    ]
    printed = [json.loads(line) for line in played.cli.here("watch", played.execution, "--json").out.splitlines()]
    assert [json.loads(one["data"]) for one in messages] == printed
    assert [(one["id"], one["event"]) for one in messages] == [(str(one["seq"]), one["kind"]) for one in printed]
    assert list(retry) == ["retry"]
    assert (list(end), end["event"], json.loads(end["data"])) == (["event", "data"], "end", {"status": "completed"})


def test_a_recording_is_that_of_the_command(played, client, tmp_path):
    file = tmp_path / "recording.json"
    assert played.cli.here("record", played.execution, "--out", str(file)).code == 0
    assert client.get(f"/api/v1/executions/{played.execution}/recording").content == file.read_bytes()


def test_the_check_up_of_a_server(played, client):
    environment = {"COMBINE_SERVER": str(client.base_url), "COMBINE_TOKEN": client.headers["Authorization"].split()[1]}
    found = played.cli("doctor", "--json", **environment)
    assert found.code == 0, found.err
    pinned("cli-doctor-at-a-server", shape(found.json))

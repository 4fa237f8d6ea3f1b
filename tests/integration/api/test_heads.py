"""HEAD for every GET: the same status, headers and rights, and no body."""

from __future__ import annotations

import pytest
from api_server import api_server, new_database
from api_world import World

from combine.api.application import operations
from combine.main import create_app
from combine.settings import Settings

OPERATIONS = dict(operations(create_app(Settings()).openapi()))
GETS = [*(name.removeprefix("GET ") for name in OPERATIONS if name.startswith("GET ")), "/api/v1/openapi.json"]
STREAM = "/api/v1/executions/{execution_id}/events"
CHANGING = {"x-request-id", "date", "content-length"}
"""The length of `/metrics` changes all the time, so it is not compared."""


class Scene:
    def __init__(self, server, client):
        self.world, self.client, self.server = World(server), client, server
        self.person, self.other = self.world.person("asking", role="admin"), self.world.person("other")
        self.project = self.world.project("project", {self.person.id: "owner"})
        self.execution = self.world.completed(self.project)

    def ask(self, method, path, token, **headers):
        values = {
            "project_id": self.project,
            "execution_id": self.execution,
            "document_id": "requirements-doc",
            "workflow_id": "strategy-document",
            "document_type": "requirements-doc",
        }
        mine = {"Authorization": f"Bearer {token}"} if token else {}
        return self.client.request(method, path.format(**values), headers={**mine, **headers})


@pytest.fixture(scope="module")
def scene(shared_server_url):
    with new_database(shared_server_url) as url, api_server(url) as server, server.client() as client:
        yield Scene(server, client)


def headers(response):
    return {name: value for name, value in response.headers.items() if name not in CHANGING}


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize("who", ["owner", "other", "nobody"])
def test_head_has_the_status_and_headers_of_get(scene, path, who):
    token = {"owner": scene.person.token, "other": scene.other.token, "nobody": None}[who]
    got, asked = (scene.ask(method, path, token) for method in ("GET", "HEAD"))
    assert (asked.status_code, asked.content) == (got.status_code, b"")
    assert headers(asked) == {name: value for name, value in headers(got).items() if name != "transfer-encoding"}
    assert who != "owner" or got.status_code == (404 if path.endswith("/diff") else 200)  # there is one version


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_the_length_is_that_of_the_get(scene, encoding):
    path, token = "/api/v1/documents/{document_id}", scene.person.token
    got, asked = (scene.ask(method, path, token, **{"Accept-Encoding": encoding}) for method in ("GET", "HEAD"))
    assert asked.headers["content-length"] == got.headers["content-length"]
    same = scene.ask("HEAD", path, token, **{"If-None-Match": got.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")


def test_head_opens_no_stream(scene):
    waiting = scene.world.queued(scene.project)
    asked = scene.client.head(
        f"/api/v1/executions/{waiting}/events", headers={"Authorization": f"Bearer {scene.person.token}"}
    )
    assert (asked.status_code, asked.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert scene.server.serving.feed.readers == 0


@pytest.mark.parametrize("path", ["/api/v1/estimates", "/api/v1/nothing", "/api/v1/executions/{execution_id}/cancel"])
def test_routes_without_get_have_no_head(scene, path):
    got, asked = (scene.ask(method, path, scene.person.token) for method in ("GET", "HEAD"))
    assert (asked.status_code, asked.headers.get("allow")) == (got.status_code, got.headers.get("allow"))
    assert got.status_code in {404, 405}


def test_head_does_not_use_up_a_one_time_link(scene):
    assert scene.client.head("/login/local?key=x").status_code == 405


def test_the_document_mentions_head_once():
    document = create_app(Settings()).openapi()
    assert [name for name in OPERATIONS if name.startswith("HEAD ")] == []
    assert "HEAD" in document["info"]["description"]

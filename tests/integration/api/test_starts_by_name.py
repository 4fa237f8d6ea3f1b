"""A start may name its project; a new one is created with the execution, or not at all."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from api_server import api_server, new_database
from api_world import World
from starter import URL, Starter


@pytest.fixture(scope="module")
def server(shared_server_url):
    with new_database(shared_server_url) as url, api_server(url) as running:
        yield running


@pytest.fixture
def starter(server):
    world = World(server)
    with server.client() as client:
        yield Starter(world, client, world.person())


def told(response):
    return response.status_code, response.json()["error"]["code"]


def test_the_first_start_makes_the_project_and_the_second_finds_it(starter):
    name = starter.world.fresh("shop")
    first, second = starter.start(project=f"  {name} "), starter.start(project=name)
    assert (first.status_code, second.status_code) == (201, 201), first.text
    [project] = starter.projects(name)
    assert {one.json()["execution"]["project_id"] for one in (first, second)} == {str(project.id)}
    mine = starter.client.get(f"/api/v1/projects/{project.id}", headers=starter.headers()).json()
    assert (mine["role"], mine["executions"]) == ("owner", 2)
    audit = "SELECT user_id FROM audit WHERE project_id = :id AND action = 'project.created'"
    assert [row.user_id for row in starter.world.sql(audit, id=project.id)] == [starter.person.id]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"workflow_id": "unknown"}, (404, "workflow_not_found")),
        ({"model": "two words"}, (422, "model_malformed")),
        ({"model": "openai:a-model-nobody-knows", "budget_usd": "1"}, (422, "price_unknown")),
        ({"budget_usd": "0"}, (422, "budget_invalid")),
        ({"brief": "  "}, (422, "brief_empty")),
    ],
)
@pytest.mark.parametrize("key", [None, "key"])
def test_a_start_that_is_refused_leaves_no_project(starter, changes, expected, key):
    name = starter.world.fresh("shop")
    assert told(starter.start(project=name, key=key, **changes)) == expected
    assert starter.projects(name) == []
    assert starter.start(project=name, key=key).status_code == 201


def test_a_project_of_others_cannot_be_used(starter):
    name = starter.world.project_name(starter.world.project())
    assert told(starter.start(project=name)) == (409, "project_name_taken")
    shared = starter.world.project(members={starter.person.id: "viewer"})
    assert told(starter.start(project=starter.world.project_name(shared))) == (403, "role_missing")


def test_a_read_only_token_creates_no_project(starter):
    name = starter.world.fresh("shop")
    read = starter.world.token(starter.person.id, "read")[1]
    assert told(starter.start(token=read, project=name)) == (403, "scope_missing")
    assert starter.projects(name) == []


def test_a_key_repeats_its_start_while_the_project_is_visible(starter):
    name = starter.world.fresh("shop")
    first, again = starter.start(project=name, key="key"), starter.start(project=name, key="key")
    assert (first.json()["execution"]["id"], first.status_code) == (again.json()["execution"]["id"], 201)
    starter.world.sql("DELETE FROM project_members WHERE user_id = :id", id=starter.person.id)
    assert told(starter.start(project=name, key="key")) == (404, "project_not_found")


@pytest.mark.parametrize("given", [{}, {"project_id": None, "project": None}, {"project": "x", "project_id": "both"}])
def test_the_project_is_named_in_one_way(starter, given):
    project_id = str(starter.world.project(members={starter.person.id: "owner"}))
    body = starter.body() | {name: project_id if value == "both" else value for name, value in given.items()}
    found = starter.client.post(URL, json=body, headers=starter.headers())
    assert told(found) == (422, "request_invalid")
    one = starter.body() | {"project": None, "project_id": project_id}
    found = starter.client.post(URL, json=one, headers=starter.headers())
    assert found.status_code == 201


async def test_many_at_once_are_in_one_project(server, starter):
    name = starter.world.fresh("shop")
    headers = starter.headers()
    async with httpx2.AsyncClient(base_url=server.url, timeout=30, trust_env=False) as client:

        async def start(number):
            while True:  # as a client should if the server is busy
                body = starter.body(project=name)
                found = await client.post(URL, json=body, headers=headers | {"Idempotency-Key": f"{name}-{number}"})
                if found.status_code != 503:
                    return found

        found = await asyncio.gather(*map(start, range(8)))
    assert [one.status_code for one in found] == [201] * 8
    assert len({one.json()["execution"]["id"] for one in found}) == 8
    assert len(starter.projects(name)) == 1

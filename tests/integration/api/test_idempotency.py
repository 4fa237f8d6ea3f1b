"""One idempotency key starts one execution, however often and from wherever it is sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

import bakery
import httpx2
import pytest
from api_server import api_server, new_database
from api_world import World
from house import House
from starter import URL, Starter

from combine.auth.permissions import Actor, InstanceRole, Scope
from combine.brief.reading import split_brief
from combine.services.commands import StartExecution
from combine.storage.core.database import Database
from combine.workflows.catalog import load_catalog


@pytest.fixture(scope="module")
def server(shared_server_url):
    with new_database(shared_server_url) as url, api_server(url) as running:
        yield running


@pytest.fixture
def starter(server):
    world = World(server)
    person = world.person()
    with server.client() as client:
        yield Starter(world, client, person, str(world.project("project", {person.id: "owner"})))


def id_of(response):
    assert response.status_code == 201, response.text
    return response.json()["execution"]["id"]


async def until_taken(client, starter, key):
    """As a client should: retry while the server is busy."""
    while (found := await client.post(URL, json=starter.body(), headers=starter.headers(key))).status_code == 503:
        assert int(found.headers["Retry-After"]) > 0
    return found


async def test_fifty_concurrent_requests_with_one_key_start_once(server, starter):
    async with httpx2.AsyncClient(base_url=server.url, timeout=30, trust_env=False) as client:
        found = await asyncio.gather(*(until_taken(client, starter, "once") for _ in range(50)))
    assert Counter(one.status_code for one in found) == {201: 50}
    assert len({one.json()["execution"]["id"] for one in found}) == 1
    replayed = Counter(one.headers["Idempotency-Replayed"] for one in found)
    assert replayed["true"] >= 49  # 50 if the first one was stored but could not read its result
    assert {one.headers["Location"] for one in found} == {f"{URL}/{found[0].json()['execution']['id']}"}
    assert starter.executions() == 1
    queued = "SELECT count(*) FROM dbos.workflow_status WHERE workflow_uuid LIKE :id || ':%'"
    assert starter.world.sql(queued, id=found[0].json()["execution"]["id"])[0][0] == 1


async def test_only_the_first_request_is_not_a_replay(server, starter):
    """With few connections, if there is time to wait for them; below the API, which does not wait."""
    narrow = Database(server.serving.database.url, pool_size=5, pool_timeout=timedelta(seconds=30))
    house = House(narrow, load_catalog(None), actor=Actor(starter.person.id, InstanceRole.MEMBER, Scope.RUN))
    command = StartExecution(split_brief(bakery.BRIEF), "strategy-document", UUID(starter.project_id), "scripted")
    started = await asyncio.gather(*(house.service.start_once(command, "key") for _ in range(50)))
    await narrow.close()
    assert len({one.execution_id for one in started}) == 1
    assert sorted(one.replayed for one in started) == [False] + [True] * 49
    assert len(house.queue) == 1


async def test_twenty_keys_start_twenty_executions(server, starter):
    async with httpx2.AsyncClient(base_url=server.url, timeout=30, trust_env=False) as client:
        found = await asyncio.gather(*(until_taken(client, starter, f"k{n}") for n in range(20)))
    assert len({id_of(one) for one in found}) == starter.executions() == 20


def test_without_a_key_each_request_starts(starter):
    first, second = starter.start(), starter.start()
    assert id_of(first) != id_of(second)
    assert "Idempotency-Replayed" not in first.headers


@pytest.mark.parametrize(
    "changes",
    [
        {"brief": "Sell bread, too."},
        {"model": "scripted"},
        {"budget_usd": "2"},
        {"budget_usd": None},
        {"ask": False},
        {"answers": {"Q-1": "No."}},
        {"allow_unpriced": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_same_key_with_another_body_is_refused(starter, changes):
    first = starter.start("key", budget_usd="1", answers={"Q-1": "Yes."})
    other = starter.start("key", **({"budget_usd": "1", "answers": {"Q-1": "Yes."}} | changes))
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_key_reused")
    again = starter.start("key", budget_usd="1", answers={"Q-1": "Yes."})
    assert (id_of(again), again.headers["Idempotency-Replayed"]) == (id_of(first), "true")
    assert starter.executions() == 1


def test_the_same_key_in_another_project_is_refused(starter):
    id_of(starter.start("key"))
    other = str(starter.world.project("other", {starter.person.id: "owner"}))
    assert starter.start("key", project_id=other).status_code == 409


def test_equivalent_bodies_are_the_same_request(starter):
    first = starter.start("key", budget_usd="1.50")
    forms = [{"budget_usd": 1.5}, {"budget_usd": "1.500000"}, {"budget_usd": "1.5", "ask": True, "answers": {}}]
    assert {id_of(starter.start("key", **form)) for form in forms} == {id_of(first)}


def test_keys_belong_to_their_user(starter):
    other = starter.world.person()
    starter.world.member(starter.project_id, other.id, "editor")
    first, theirs = starter.start("key"), starter.start("key", other.token)
    assert id_of(first) != id_of(theirs)
    assert [one.headers["Idempotency-Replayed"] for one in (first, theirs)] == ["false", "false"]


def test_a_key_works_with_another_token_of_the_user(starter):
    first = starter.start("key")
    again = starter.start("key", starter.world.token(starter.person.id, "run")[1])
    assert id_of(first) == id_of(again)


def test_a_key_is_remembered_for_a_day(starter):
    first = starter.start("key")
    age = "UPDATE idempotency_keys SET created_at = created_at - cast(:age AS interval) WHERE user_id = :user"
    starter.world.sql(age, age="23 hours 59 minutes", user=starter.person.id)
    assert id_of(starter.start("key")) == id_of(first)
    starter.world.sql(age, age="1 minute", user=starter.person.id)
    second = starter.start("key", brief="Another one.")
    assert id_of(second) != id_of(first)
    assert id_of(starter.start("key", brief="Another one.")) == id_of(second)


def test_expired_keys_are_deleted(starter):
    for key in ("key", "other", "third"):
        id_of(starter.start(key))
    age = "UPDATE idempotency_keys SET created_at = created_at - interval '25 hours' WHERE user_id = :user"
    starter.world.sql(age, user=starter.person.id)
    assert starter.start("key").headers["Idempotency-Replayed"] == "false"
    left = starter.world.sql("SELECT key FROM idempotency_keys WHERE user_id = :user", user=starter.person.id)
    assert [row.key for row in left] == ["key"]


def test_a_refused_request_does_not_use_its_key(starter):
    assert starter.start("key", workflow_id="unknown").status_code == 404
    assert starter.start("key", model="nonsense of a model").status_code == 422
    assert starter.start("key", project_id=str(starter.world.project())).status_code == 404
    starter.world.member(starter.project_id, starter.person.id, "viewer")
    assert starter.start("key").status_code == 403
    starter.world.member(starter.project_id, starter.person.id, "editor")
    assert starter.start("key").headers["Idempotency-Replayed"] == "false"


def test_a_replay_returns_the_current_state(starter):
    first = id_of(starter.start("key"))
    starter.client.post(f"{URL}/{first}/cancel", headers=starter.headers())
    again = starter.start("key")
    assert (again.status_code, again.json()["execution"]["status"]) == (201, "cancelled")


def test_a_key_gives_no_access(starter):
    """Neither to a token that may not start executions, nor to a former member or one who is now a viewer."""
    id_of(starter.start("key"))
    read = starter.world.token(starter.person.id, "read")[1]
    assert starter.start("key", read).status_code == 403
    starter.world.member(starter.project_id, starter.person.id, "viewer")
    assert starter.start("key").status_code == 403
    starter.world.sql("DELETE FROM project_members WHERE user_id = :id", id=starter.person.id)
    assert starter.start("key").status_code == 404


@pytest.mark.parametrize("key", ["x" * 201, "with space", "with\ttab", "ä".encode()])
def test_a_key_is_visible_ascii_of_bounded_length(starter, key):
    found = starter.client.post(URL, json=starter.body(), headers=starter.headers() | {"Idempotency-Key": key})
    assert (found.status_code, found.json()["error"]["code"]) == (422, "request_invalid")
    assert starter.executions() == 0


@pytest.mark.parametrize("key", ["x", "x" * 200, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"])
def test_any_visible_ascii_is_a_key(starter, key):
    assert id_of(starter.start(key)) == id_of(starter.start(key))

"""Recording the cost of a call whose outcome is unknown, over HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from api_server import api_server, new_database
from api_world import Person, World
from ledger import open_call, reply, unknown_call, wrong_sums

from combine.main import create_app
from combine.settings import Settings

ROUTE = "/api/v1/executions/{execution_id}/calls/{call_id}/settle"


@dataclass
class Owner:
    """The owner of an execution that has ended."""

    world: World
    client: Any
    person: Person
    project_id: UUID
    execution_id: UUID

    @property
    def database(self):
        return self.world.server.serving.database

    def call(self, usd="0.5"):
        return self.world.server.do(unknown_call(self.database, self.execution_id, usd))

    def send(self, method, path, **given):
        return self.client.request(method, path, headers={"Authorization": f"Bearer {self.person.token}"}, **given)

    def settle(self, call_id, usd, *, execution_id=None, **more):
        path = ROUTE.format(execution_id=execution_id or self.execution_id, call_id=call_id)
        return self.send("POST", path, json={"usd": usd, **more})

    def reserved(self):
        rows = self.world.sql(
            "SELECT e.reserved_usd, p.reserved_usd FROM executions e JOIN projects p ON p.id = e.project_id "
            "WHERE e.id = :id",
            id=self.execution_id,
        )
        return tuple(rows[0])


@pytest.fixture(scope="module")
def server(shared_server_url):
    with new_database(shared_server_url) as url, api_server(url) as running:
        yield running


@pytest.fixture
def owner(server):
    world = World(server)
    person = world.person("owner")
    project_id = world.project("paid", {person.id: "owner"})
    with server.client() as client:
        made = Owner(world, client, person, project_id, world.queued(project_id))
        assert made.send("POST", f"/api/v1/executions/{made.execution_id}/cancel").status_code == 200
        yield made
        assert server.do(wrong_sums(made.database)) == []


def code_of(response):
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.parametrize(
    ("usd", "kept"), [("0.12", "0.12"), (0.12, "0.12"), ("0", "0"), (0, "0"), ("1.250000", "1.25")]
)
def test_the_response_is_the_execution_after_the_change(owner, usd, kept):
    call_id = owner.call()
    found = owner.settle(call_id, usd)
    assert found.status_code == 200, found.text
    shown = found.json()
    assert shown == owner.send("GET", f"/api/v1/executions/{owner.execution_id}").json()
    assert (shown["execution"]["status"], Decimal(shown["reserved_usd"])) == ("cancelled", Decimal(kept))
    [call] = shown["calls"]
    assert (call["id"], call["state"], Decimal(call["reserved_usd"])) == (
        str(call_id),
        "outcome_unknown",
        Decimal(kept),
    )
    assert Decimal(shown["execution"]["cost_usd"]) == Decimal(kept)
    assert owner.reserved() == (Decimal(kept),) * 2


def test_id_prefixes_are_enough(owner):
    call_id = owner.call()
    assert owner.settle(str(call_id)[:8], "0.1", execution_id=str(owner.execution_id)[:8]).status_code == 200
    assert owner.reserved() == (Decimal("0.1"),) * 2


def test_it_is_in_the_events_and_the_audit_with_the_request_id(owner):
    call_id = owner.call()
    request_id = owner.settle(call_id, "0.12").headers["X-Request-ID"]
    told = owner.send("GET", f"/api/v1/executions/{owner.execution_id}/events").text
    last = [json.loads(line.removeprefix("data: ")) for line in told.splitlines() if line.startswith("data: ")]
    [event] = [one for one in last if one.get("kind") == "call_settled"]
    said = {"call_id": str(call_id), "usd": "0.12", "was_usd": "0.5"}
    assert (event["data"], event["request_id"], event["step_id"]) == (said, request_id, "discovery")
    [row, *_] = owner.send("GET", f"/api/v1/projects/{owner.project_id}/audit").json()["items"]
    assert (row["action"], row["object"], row["data"]) == ("call.settled", str(owner.execution_id), said)
    assert (row["request_id"], row["user_id"]) == (request_id, str(owner.person.id))


def test_what_cannot_be_settled(owner):
    known = owner.world.server.do(open_call(owner.database, owner.execution_id, "0.5"))
    assert code_of(owner.settle(known, "0.1")) == (409, "call_outcome_known")
    owner.world.server.do(reply(owner.database, owner.execution_id, known, "0.3"))
    refused = owner.settle(known, "0.1")
    assert code_of(refused) == (409, "call_outcome_known")
    assert "is replied" in refused.json()["error"]["message"]
    other = owner.world.queued(owner.project_id)
    theirs = owner.world.server.do(unknown_call(owner.database, other))
    assert code_of(owner.settle(theirs, "0.1")) == (404, "call_not_found")
    assert code_of(owner.settle(uuid4(), "0.1")) == (404, "call_not_found")
    assert code_of(owner.settle(theirs, "0.1", execution_id=uuid4())) == (404, "execution_not_found")


@pytest.mark.parametrize("usd", ["-0.01", -1, "0.0000001", "10000000", "1e2", "NaN", "", None, True, [], "9999999.5"])
def test_an_invalid_amount_is_refused(owner, usd):
    assert owner.settle(owner.call(), usd).status_code == 422
    assert owner.reserved() == (Decimal("0.5"),) * 2


def test_a_body_without_an_amount_or_with_more_is_refused(owner):
    path = ROUTE.format(execution_id=owner.execution_id, call_id=owner.call())
    for body in ({}, {"usd": "0.1", "cost": "0.1"}, "0.1"):
        assert owner.send("POST", path, json=body).status_code == 422


def test_strangers_learn_nothing_about_the_call(owner):
    call_id, stranger = owner.call(), owner.world.person("stranger")
    headers = {"Authorization": f"Bearer {stranger.token}"}
    path = ROUTE.format(execution_id=owner.execution_id, call_id=call_id)
    found = owner.client.post(path, json={"usd": "0.1"}, headers=headers)
    assert code_of(found) == (404, "execution_not_found")
    assert owner.reserved() == (Decimal("0.5"),) * 2


def test_the_document_describes_it():
    document = create_app(Settings()).openapi()
    described = document["paths"][ROUTE]["post"]
    assert {"200", "401", "403", "404", "409", "422"} <= described["responses"].keys()
    assert document["components"]["schemas"]["SettleBody"]["required"] == ["usd"]

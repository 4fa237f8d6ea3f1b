"""The ID of a request is on everything it has caused, including what a worker does later."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import bakery
import pytest
from api_server import api_server, new_database
from api_world import Person, World
from house import House

from combine.engine.queue import Adoption
from combine.errors import TransientLLMError
from combine.workflows.catalog import load_catalog

E = "/api/v1/executions"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@dataclass
class Caller:
    world: World
    client: Any
    person: Person
    project_id: Any
    house: House

    def send(self, method, path, request_id=None, **given):
        headers = {"Authorization": f"Bearer {self.person.token}", **given.pop("headers", {})}
        if request_id:
            headers["X-Request-ID"] = request_id
        response = self.client.request(method, path, headers=headers, **given)
        assert response.is_success, response.text
        return response

    def start(self, request_id, **changes):
        body = {"project_id": str(self.project_id), "brief": bakery.BRIEF, "model": "scripted", **changes}
        return self.send("POST", E, request_id, json=body).json()["execution"]["id"]

    def work(self, execution_id):
        """Run it as a worker does, until it stops; the status."""
        [row] = self.world.sql("SELECT id, round FROM executions WHERE id = cast(:id AS uuid)", id=execution_id)
        self.house.queue = [(row.id, row.round)]
        return self.world.server.do(self.house.run()).status

    def caused(self, execution_id, table):
        """The request that caused each row of an execution, in order, without repetitions."""
        order = {"events": "seq", "llm_calls": "started_at, id"}[table]
        query = f"SELECT request_id FROM {table} WHERE execution_id = cast(:id AS uuid) ORDER BY {order}"
        ids = [row.request_id for row in self.world.sql(query, id=execution_id)]
        return [one for place, one in enumerate(ids) if place == 0 or ids[place - 1] != one]

    def audited(self, request_id):
        rows = self.world.sql("SELECT action FROM audit WHERE request_id = :id ORDER BY id", id=request_id)
        return [row.action for row in rows]


@pytest.fixture(scope="module")
def server(shared_server_url):
    with new_database(shared_server_url) as url, api_server(url, llm_default_model="scripted") as running:
        yield running


@pytest.fixture
def caller(server):
    world = World(server)
    person = world.person("caller", role="admin")
    with server.client() as client:
        house = House(server.serving.database, load_catalog(None))
        yield Caller(world, client, person, world.project("project", {person.id: "owner"}), house)


@pytest.fixture
def request_id():
    return f"req.{uuid4().hex[:12]}_-"


def test_a_start_an_answer_and_everything_they_caused(caller):
    execution_id = caller.start("the-start")
    assert caller.work(execution_id) == "waiting_for_answers"
    assert caller.caused(execution_id, "events") == caller.caused(execution_id, "llm_calls") == ["the-start"]
    caller.send("POST", f"{E}/{execution_id}/answers", "the-answer", json={"decide_rest": True})
    assert caller.work(execution_id) == "completed"
    assert caller.caused(execution_id, "events") == ["the-start", "the-answer"]
    assert caller.caused(execution_id, "llm_calls") == ["the-start", "the-answer"]
    shown = caller.send("GET", f"{E}/{execution_id}", "only-looked").json()
    assert [one["request_id"] for one in shown["calls"]] == ["the-start", *["the-answer"] * 4]


def test_live_events_have_the_request_id(caller):
    execution_id = caller.start("the-start")
    caller.send("POST", f"{E}/{execution_id}/cancel", "the-end")
    told = caller.send("GET", f"{E}/{execution_id}/events", "only-looked").text
    assert re.findall(r'"kind":"(\w+)".*?"request_id":"([^"]*)"', told) == [
        ("execution_queued", "the-start"),
        ("execution_cancelled", "the-end"),
    ]


def test_a_document_that_is_rejected_and_then_accepted(caller, request_id):
    execution_id = str(caller.world.at_a_gate(caller.project_id))
    caller.send("POST", f"{E}/{execution_id}/reject", "sent-back", json={"reason": "Say who bakes."})
    caller.house.says(bakery.script())
    caller.work(execution_id)
    assert caller.caused(execution_id, "llm_calls") == ["sent-back"]
    assert caller.audited("sent-back") == ["document.sent_back"]
    other = str(caller.world.at_a_gate(caller.project_id))
    caller.send("POST", f"{E}/{other}/accept", request_id, json={})
    assert caller.audited(request_id) == ["document.accepted"]
    assert caller.caused(other, "events")[-1] == request_id


def test_an_outage_a_resume_and_a_fork(caller):
    caller.house.says(
        bakery.script(requirements_doc=[TransientLLMError("Down."), *bakery.script()["requirements-doc"]])
    )
    execution_id = caller.start("begun", answers={"Q-1": "Offer the next free day."})
    assert caller.work(execution_id) == "waiting_for_provider"
    caller.send("POST", f"{E}/{execution_id}/resume", "resumed", json={"budget_usd": "100", "allow_unpriced": True})
    assert caller.work(execution_id) == "completed"
    assert caller.caused(execution_id, "events") == ["begun", "resumed"]
    assert caller.caused(execution_id, "llm_calls") == ["begun", "resumed"]
    assert caller.audited("resumed") == ["execution.unpriced_allowed", "execution.budget_set"]
    caller.house.says(bakery.script())
    forked = caller.send("POST", f"{E}/{execution_id}/fork", "forked", json={"from_step": "review"}).json()
    assert caller.work(forked["execution"]["id"]) == "completed"
    assert caller.caused(forked["execution"]["id"], "events") == ["forked"]
    assert caller.caused(forked["execution"]["id"], "llm_calls") == ["forked"]
    assert caller.caused(execution_id, "events") == ["begun", "resumed"]


def test_local_commands_are_caused_by_no_request(caller):
    """Even if a request started it. Automatic work is attributed to the last request that continued it."""
    caller.house.says(
        bakery.script(requirements_doc=[*[TransientLLMError("Down.")] * 2, *bakery.script()["requirements-doc"]])
    )
    execution_id = caller.start("the-start")
    do, service = caller.world.server.do, caller.house.service
    assert caller.work(execution_id) == "waiting_for_answers"
    do(service.answer(execution_id, {"Q-1": "Offer the next free day."}))
    assert caller.work(execution_id) == "waiting_for_provider"
    assert caller.caused(execution_id, "events") == caller.caused(execution_id, "llm_calls") == ["the-start", None]
    caller.send("POST", f"{E}/{execution_id}/resume", "the-resume", json={})
    assert caller.work(execution_id) == "waiting_for_provider"
    do(caller.house.release_due(datetime.now(UTC) + timedelta(days=1)))
    assert caller.caused(execution_id, "events") == ["the-start", None, "the-resume", None]  # a worker retried
    caller.house.adoption = Adoption.ADOPTED  # as if that worker had died and the resuming process took over
    do(service.resume(execution_id))
    assert caller.work(execution_id) == "completed"
    assert caller.caused(execution_id, "events") == ["the-start", None, "the-resume", None]
    assert caller.caused(execution_id, "llm_calls") == ["the-start", None, "the-resume", None]


def test_automatic_work_is_attributed_to_the_last_request(caller):
    caller.house.says(
        bakery.script(requirements_doc=[TransientLLMError("Down."), *bakery.script()["requirements-doc"]])
    )
    execution_id = caller.start("the-start", answers={"Q-1": "Offer the next free day."})
    assert caller.work(execution_id) == "waiting_for_provider"
    caller.world.server.do(caller.house.release_due(datetime.now(UTC) + timedelta(days=1)))
    assert caller.work(execution_id) == "completed"
    assert caller.caused(execution_id, "llm_calls") == ["the-start"]


def test_a_decision(caller, request_id):
    execution_id = str(caller.world.undecided(caller.project_id))
    body = {"action": "try_again", "guidance": "Say who bakes."}
    caller.send("POST", f"{E}/{execution_id}/decide", request_id, json=body)
    assert caller.audited(request_id) == ["execution.decided"]
    caller.work(execution_id)
    assert caller.caused(execution_id, "llm_calls") == [request_id]


def test_changes_of_rights(caller):
    world = caller.world
    user, token = world.person(), world.token(caller.person.id)[0]
    world.member(caller.project_id, user.id, "viewer")
    mine = world.invitation(world.project(), caller.person.email)
    other = world.invitation(world.project(), caller.person.email)
    taken = world.invitation(caller.project_id, "guest@example.org")
    session, identity = world.session(caller.person.id)[0], world.identity(caller.person.id, "alias@example.org")
    project, member = f"/api/v1/projects/{caller.project_id}", f"/api/v1/projects/{caller.project_id}/members/{user.id}"
    done = {
        "project.created": ("POST", "/api/v1/projects", {"name": world.fresh("new")}),
        "project.budget_set": ("PATCH", project, {"budget_usd": "5"}),
        "member.role_set": ("PUT", member, {"role": "editor"}),
        "member.removed": ("DELETE", member, None),
        "invitation.created": ("POST", f"{project}/invitations", {"email": "ada@example.org"}),
        "invitation.revoked": ("DELETE", f"{project}/invitations/{taken}", None),
        "invitation.accepted": ("POST", f"/api/v1/me/invitations/{mine}/accept", None),
        "invitation.declined": ("POST", f"/api/v1/me/invitations/{other}/decline", None),
        "identity.unlinked": ("DELETE", f"/api/v1/me/identities/{identity}", None),
        "session.ended": ("DELETE", f"/api/v1/me/sessions/{session}", None),
        "session.ended_all": ("DELETE", "/api/v1/me/sessions", None),
        "token.created": ("POST", "/api/v1/tokens", {"name": "one"}),
        "token.revoked": ("DELETE", f"/api/v1/tokens/{token}", None),
        "user.role_set": ("PUT", f"/api/v1/users/{user.id}/role", {"role": "admin"}),
        "user.disabled": ("POST", f"/api/v1/users/{user.id}/disable", None),
        "user.enabled": ("POST", f"/api/v1/users/{user.id}/enable", None),
    }
    for action, (method, path, body) in done.items():
        caller.send(method, path, f"by-{action}", json=body)
        assert caller.audited(f"by-{action}") == [action]


def test_the_audit_has_the_user_the_token_and_the_request(caller, request_id):
    token_id, secret = caller.world.token(caller.person.id)
    mine = {"Authorization": f"Bearer {secret}"}
    project = f"/api/v1/projects/{caller.project_id}"
    caller.send("PATCH", project, request_id, json={"budget_usd": "5"}, headers=mine)
    [row] = caller.send("GET", f"{project}/audit").json()["items"]
    assert (row["action"], row["request_id"], row["data"]) == ("project.budget_set", request_id, {"budget_usd": "5"})
    assert (row["user_id"], row["user_name"]) == (str(caller.person.id), caller.person.name)
    assert row["token_id"] == str(token_id)


def test_failed_changes_are_not_audited(caller, request_id):
    stranger = caller.world.person()
    headers = {"Authorization": f"Bearer {stranger.token}", "X-Request-ID": request_id}
    project = f"/api/v1/projects/{caller.project_id}"
    found = caller.client.patch(project, json={"budget_usd": "5"}, headers=headers)
    assert (found.status_code, found.headers["X-Request-ID"]) == (404, request_id)
    assert found.json()["error"]["request_id"] == request_id
    assert caller.audited(request_id) == []


def test_the_trace_of_the_caller_is_the_request_id(caller):
    body = {"project_id": str(caller.project_id), "brief": bakery.BRIEF, "model": "scripted"}
    traced = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    found = caller.send("POST", E, json=body, headers=traced)
    assert found.headers["X-Request-ID"] == TRACE
    assert caller.caused(found.json()["execution"]["id"], "events") == [TRACE]


def test_without_an_id_of_the_caller_each_request_gets_its_own(caller):
    found = [caller.send("GET", "/api/v1/me").headers["X-Request-ID"] for _ in range(3)]
    assert len(set(found)) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in found)

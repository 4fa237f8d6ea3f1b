"""Two worlds on one server: members of one learn nothing about the other, not even that it exists."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from uuid import UUID, uuid4

import bakery
import pytest
from api_server import api_server, new_database
from api_world import Person, World

from combine.api.application import operations
from combine.brief.reading import split_brief
from combine.documents.statuses import GroupBy
from combine.main import create_app
from combine.settings import Settings

VOLATILE = re.compile(r'"(request_id|last_used_at|last_seen_at)":("[^"]*"|null)')
GETS = [
    (name.removeprefix("GET "), operation)
    for name, operation in operations(create_app(Settings()).openapi())
    if name.startswith("GET /api/") and operation.get("security")
]


@dataclass
class Side:
    """One of the two worlds."""

    world: World
    person: Person
    project_id: UUID
    done: UUID
    waiting: UUID

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.person.token}"}

    def values(self):
        """Parameter -> its values in this world."""
        query = (
            "SELECT id FROM documents WHERE project_id = :id AND type IN ('requirements-doc', 'brief') ORDER BY type"
        )
        ids = [row.id for row in self.world.sql(query, id=self.project_id)]
        executions = [self.done, self.waiting]
        return {
            "project_id": [self.project_id],
            "execution_id": [*executions, *(str(one)[:8] for one in executions), str(self.done)[:4]],
            "document_id": [*ids, str(ids[0])[:13], "requirements-doc", "brief"],
            "workflow_id": ["strategy-document"],
            "document_type": ["requirements-doc"],
            "project": [self.project_id, self.world.project_name(self.project_id)],
        }

    def marks(self):
        """What must not appear in the other world: every ID, name, address and text of this one."""
        ours = "execution_id IN (SELECT id FROM executions WHERE project_id = :project)"
        queries = [
            "SELECT id FROM executions WHERE project_id = :project",
            "SELECT id FROM documents WHERE project_id = :project",
            "SELECT id FROM invitations WHERE project_id = :project",
            "SELECT email FROM invitations WHERE project_id = :project",
            f"SELECT id FROM llm_calls WHERE {ours}",
            "SELECT id FROM api_tokens WHERE user_id = :user",
            "SELECT id FROM sessions WHERE user_id = :user",
        ]
        union = " UNION ".join(
            re.sub(r"SELECT (\w+)", r"SELECT cast(\1 AS text) AS mark", one, count=1) for one in queries
        )
        rows = self.world.sql(union, project=self.project_id, user=self.person.id)
        own = [self.person.id, self.person.name, self.project_id, self.world.project_name(self.project_id)]
        return {str(mark) for mark in own} | {row.mark for row in rows if row.mark} | {MARK}


MARK = "heartofbravo"


def build(world, name, text=""):
    person = world.person(name)
    project_id = world.project(name, {person.id: "owner"})
    brief = split_brief(bakery.BRIEF + text)
    world.session(person.id)
    world.invitation(project_id, f"{world.fresh(f'guest-of-{name}')}@example.org")
    done = world.completed(project_id, brief=brief)
    return Side(world, person, project_id, done, world.asking(project_id))


@pytest.fixture(scope="module")
def server(shared_server_url):
    with new_database(shared_server_url) as url, api_server(url, llm_default_model="scripted") as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    with server.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def alpha(server):
    return build(World(server), "alpha")


@dataclass
class Before:
    """The responses to alpha while bravo does not exist."""

    answers: dict[str, tuple[int, str]]


@pytest.fixture(scope="module")
def before(client, alpha):
    return Before(look(client, alpha, alpha.values()))


@pytest.fixture(scope="module")
def bravo(server, before, alpha):
    """Created after alpha's responses were recorded; its IDs begin like alpha's where possible."""
    side = build(alpha.world, "bravo", f"\n\nThe word is {MARK}.")
    for source in (alpha.done, alpha.waiting):
        copy_execution(side, side.done, twin_of(source))
    for row in side.world.sql("SELECT id FROM documents WHERE project_id = :id", id=alpha.project_id):
        side.world.sql(
            "INSERT INTO documents (id, project_id, type, version, status, content, content_sha256, origin)"
            " SELECT :twin, :project, 'twin', coalesce(max(version), 0) + 1, 'draft', '{}', :sum, 'model'"
            " FROM documents WHERE project_id = :project AND type = 'twin'",
            twin=twin_of(row.id),
            project=side.project_id,
            sum=uuid4().hex,
        )
    return side


def twin_of(one):
    """Another ID with the same prefix."""
    return UUID(str(one)[:24] + uuid4().hex[:12])


def copy_execution(side, source, new_id):
    """A copy of that execution, with this ID."""
    columns = "project_id, workflow_id, workflow_version, definition, brief_id, model, status"
    query = f"INSERT INTO executions (id, {columns}) SELECT :new, {columns} FROM executions WHERE id = :source"
    side.world.sql(query, new=new_id, source=source)


def requests(values):
    """(url, query) of every GET route, with each of the values."""
    for path, operation in GETS:
        names = re.findall(r"\{(\w+)\}", path)
        asked = {one["name"] for one in operation["parameters"]} if "parameters" in operation else set()
        queries = [{}, *({"project": str(value)} for value in values["project"])] if "project" in asked else [{}]
        if "group_by" in asked:
            queries += [{"group_by": kind.value} for kind in GroupBy]
        if path.endswith("/export"):
            queries = [{**queries[0], "format": form} for form in ("json", "md", "html")] + queries[1:]
        if "status" in asked:
            queries += [{"status": "completed" if "executions" in path else "draft"}]
        if "type" in asked:
            queries += [{"type": "brief"}]
        for combination in itertools.product(*(values[name] for name in names)):
            url = path.format(**dict(zip(names, combination, strict=True)))
            yield from ((url, query) for query in queries)


def look(client, side, values):
    """The responses of every GET route to this side's person."""
    found = {}
    for url, query in requests(values):
        headers = {**side.headers, "Last-Event-ID": "0"}
        with client.stream("GET", url, params=query, headers=headers) as response:
            text = (
                first_events(response) if "event-stream" in response.headers.get("content-type", "") else read(response)
            )
        found[f"{url} {query}"] = (response.status_code, VOLATILE.sub("", text))
    return found


def read(response):
    response.read()
    return response.text


def first_events(response):
    """Up to the first event, since a waiting execution does not end."""
    lines = []
    for line in response.iter_lines():
        lines.append(line)
        if line.startswith("data:"):
            break
    return "\n".join(one for one in lines if not one.startswith("retry:"))


def test_the_responses_of_one_world_do_not_depend_on_the_other(client, alpha, before, bravo):
    assert look(client, alpha, alpha.values()) == before.answers


def test_no_response_contains_anything_of_the_other_world(client, alpha, bravo):
    told = json.dumps(look(client, alpha, alpha.values()))
    assert {mark for mark in bravo.marks() if mark in told} == set()


def test_the_marks_appear_in_their_own_world(client, bravo):
    """Shows that the marks of the test above can be found."""
    told = json.dumps(look(client, bravo, bravo.values()))
    kinds = {str(bravo.project_id), str(bravo.done), bravo.person.name, MARK}
    assert kinds <= bravo.marks()
    assert {mark for mark in bravo.marks() if mark not in told} == set()


def test_names_of_the_other_world_are_not_found(client, alpha, bravo):
    asked = bravo.values() | {"execution_id": [bravo.done, bravo.waiting, str(bravo.waiting)[:8]]}
    asked["document_id"] = asked["document_id"][:-2]  # a type means the document of one's own project
    named = {str(one) for name in ("project_id", "execution_id", "document_id", "project") for one in asked[name]}
    found = look(client, alpha, asked)
    about = {key: value for key, value in found.items() if any(one in key for one in named)}
    assert len(about) > 50
    assert {key: status for key, (status, _) in about.items() if status != 404} == {}
    for key, (_, text) in about.items():
        assert {mark for mark in bravo.marks() if mark in text and mark not in key} == set(), key


def test_a_prefix_shared_by_both_worlds_means_ones_own(client, alpha, bravo):
    for execution_id in (alpha.done, alpha.waiting):
        found = client.get(f"/api/v1/executions/{str(execution_id)[:8]}", headers=alpha.headers)
        assert found.json()["execution"]["id"] == str(execution_id)
        theirs = client.get(f"/api/v1/executions/{str(execution_id)[:8]}", headers=bravo.headers)
        assert theirs.json()["execution"]["id"] not in {str(alpha.done), str(alpha.waiting)}


def test_an_ambiguous_prefix_lists_only_ones_own(client, alpha, bravo):
    world, person = alpha.world, alpha.world.person()
    first = world.queued(world.project("twins", {person.id: "owner"}))
    for twin in (second := twin_of(first), theirs := twin_of(first)):
        copy_execution(alpha, first, twin)
    world.sql("UPDATE executions SET project_id = :id WHERE id = :twin", id=bravo.project_id, twin=theirs)
    found = client.get(f"/api/v1/executions/{str(first)[:8]}", headers={"Authorization": f"Bearer {person.token}"})
    told = set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", found.json()["error"]["message"]))
    assert (found.status_code, told) == (409, {str(first), str(second)})


def test_an_admin_sees_both(client, alpha, bravo):
    admin = alpha.world.person("admin", role="admin")
    found = client.get("/api/v1/projects", headers={"Authorization": f"Bearer {admin.token}"}).json()["items"]
    assert {str(alpha.project_id), str(bravo.project_id)} <= {one["id"] for one in found}


def test_the_other_world_cannot_be_reached_through_ones_own(client, alpha, bravo):
    """IDs of both worlds in one path, or in a body."""
    world, mine = alpha.world, f"/api/v1/projects/{alpha.project_id}"
    invitation = world.invitation(bravo.project_id, "guest@example.org")
    token = world.token(bravo.person.id)[0]
    session = world.session(bravo.person.id)[0]
    start = {"project_id": str(bravo.project_id), "brief": "Sell bread.", "model": "offline"}
    found = [
        client.delete(f"{mine}/invitations/{invitation}", headers=alpha.headers),
        client.put(f"{mine}/members/{bravo.person.id}", json={"role": "owner"}, headers=alpha.headers),
        client.delete(f"{mine}/members/{bravo.person.id}", headers=alpha.headers),
        client.delete(f"/api/v1/tokens/{token}", headers=alpha.headers),
        client.delete(f"/api/v1/me/sessions/{session}", headers=alpha.headers),
        client.post(f"/api/v1/me/invitations/{invitation}/accept", headers=alpha.headers),
        client.post(f"/api/v1/me/invitations/{invitation}/decline", headers=alpha.headers),
        client.post("/api/v1/executions", json=start, headers=alpha.headers),
    ]
    assert [one.status_code for one in found] == [404] * len(found)
    assert {mark for mark in bravo.marks() - ids_of(found) if any(mark in one.text for one in found)} == set()


def ids_of(responses):
    """What the requests themselves contained."""
    return {
        part for one in responses for part in re.findall(r"[0-9a-f-]{36}", f"{one.request.url} {one.request.content!r}")
    }


def test_estimates_use_only_ones_own_history(client, alpha, bravo):
    body = {"brief": bakery.BRIEF, "model": "scripted"}
    found = [client.post("/api/v1/estimates", json=body, headers=side.headers).json() for side in (alpha, bravo)]
    stranger = alpha.world.person()
    found.append(
        client.post("/api/v1/estimates", json=body, headers={"Authorization": f"Bearer {stranger.token}"}).json()
    )
    assert [one["earlier_executions"] for one in found] == [1, 1, 0]


def test_a_removed_member_no_longer_sees_the_project(client, alpha):
    guest, boss = alpha.world.person("guest"), alpha.world.person("boss")
    headers, owner = ({"Authorization": f"Bearer {one.token}"} for one in (guest, boss))
    project_id = alpha.world.project("left", {guest.id: "editor", boss.id: "owner"})
    url = f"/api/v1/executions/{alpha.world.completed(project_id)}"
    seen = client.get(url, headers=headers).status_code
    client.delete(f"/api/v1/projects/{project_id}/members/{guest.id}", headers=owner)
    assert [seen, client.get(url, headers=headers).status_code] == [200, 404]
    lists = [client.get(f"/api/v1/{name}", headers=headers).json() for name in ("projects", "executions", "documents")]
    assert [one["items"] for one in lists] == [[], [], []]
    assert client.get("/api/v1/costs", headers=headers).json()["total"]["calls"] == 0


def test_only_a_taken_name_reveals_another_project(client, alpha, bravo):
    name = bravo.world.project_name(bravo.project_id)
    found = client.post("/api/v1/projects", json={"name": name}, headers=alpha.headers)
    assert (found.status_code, found.json()["error"]["code"]) == (409, "project_name_taken")
    assert str(bravo.project_id) not in found.text
    assert client.get("/api/v1/projects", params={"name": name}, headers=alpha.headers).json()["items"] == []

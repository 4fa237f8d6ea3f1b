"""docs/rights.md is the test: each cell of its table is a request, and each route has its row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bakery
import httpx2
import pytest
from api_server import api_server, new_database
from api_world import Person, World
from ledger import unknown_call
from own_issuer import CLIENT_ID, CLIENT_SECRET, new_key, own_issuer
from starlette.routing import Mount, Route

from combine.api.openapi import operations
from combine.main import _ROUTERS, create_app
from combine.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "rights.md"
ROW = re.compile(r"^\| `([A-Z]+) (/\S*)` \|(.*)\|$", re.MULTILINE)
ACTORS = ("anonymous", "other", "viewer", "editor", "owner", "admin", "read", "run", "expired", "revoked")
SAFE = {"GET", "HEAD"}


def rows() -> dict[str, dict[str, int]]:
    """Route -> who -> status, as the page has it."""
    found = {}
    for method, path, cells in ROW.findall(PAGE.read_text(encoding="utf-8")):
        found[f"{method} {path}"] = dict(zip(ACTORS, map(int, cells.split("|")), strict=True))
    return found


TABLE = rows()


@dataclass
class Scene:
    """Two projects; who is what in the first one; and what each of them sends along."""

    world: World
    client: httpx2.Client
    with_provider: str
    """The address of a server that people sign in to at a provider."""
    project_id: Any = None
    done: Any = None
    people: dict[str, Person] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)

    def prepare(self) -> Scene:
        world, people = self.world, self.people
        for name in ("other", "viewer", "editor", "owner", "disabled"):
            people[name] = world.person(name)
        people["admin"] = world.person("admin", role="admin")
        members = {people[name].id: name for name in ("viewer", "editor", "owner")}
        self.project_id = world.project("ours", members | {people["disabled"].id: "owner"})
        world.project("theirs", {people["other"].id: "owner"})
        self.done = world.completed(self.project_id)
        self.headers = {name: bearer(person.token) for name, person in people.items()}
        owner = people["owner"].id
        for name, given in {
            "read": {"scope": "read"},
            "run": {"scope": "run"},
            "expired": {"days": -1},
            "revoked": {"revoked": True},
        }.items():
            people[name] = people["owner"]
            self.headers[name] = bearer(world.token(owner, **given)[1])
        people["anonymous"], self.headers["anonymous"] = people["other"], {}
        people["session"] = people["owner"]
        world.sql("UPDATE users SET disabled_at = now() WHERE id = :id", id=people["disabled"].id)
        return self

    def ask(self, route: str, actor: str, more: dict[str, str] | None = None) -> httpx2.Response:
        """Send a good request for that route, on things of its own where it changes any."""
        method, path = route.split(" ")
        person = self.people[actor]
        given = RECIPES[route](self, person) if route in RECIPES else {}
        values = {"project_id": self.project_id, "execution_id": self.done} | given.pop("path", {})
        url = given.pop("at", "") + path.format(**values)
        mine = self.session(person) if actor == "session" else self.headers[actor]
        response = self.client.request(method, url, headers={**mine, **(more or {})}, **given)
        self.client.cookies.clear()
        return response

    def session(self, person: Person) -> dict[str, str]:
        """The cookie of a new session."""
        return {"Cookie": f"combine_session={self.world.session(person.id)[1]}"}


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


RECIPES: dict[str, Callable[[Scene, Person], dict[str, Any]]] = {}


def recipe(*routes: str) -> Callable[[Callable[..., dict[str, Any]]], Callable[..., dict[str, Any]]]:
    """For these routes."""

    def register(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        RECIPES.update(dict.fromkeys(routes, function))
        return function

    return register


P = "/api/v1/projects"
E = "/api/v1/executions"
D = "/api/v1/documents"


@recipe(f"POST {P}")
def _(scene, person):
    return {"json": {"name": scene.world.fresh("new")}}


@recipe(f"PATCH {P}/{{project_id}}")
def _(scene, person):
    return {"json": {"budget_usd": "1000"}}


@recipe(f"PUT {P}/{{project_id}}/members/{{user_id}}", f"DELETE {P}/{{project_id}}/members/{{user_id}}")
def _(scene, person):
    member = scene.world.person("member")
    scene.world.member(scene.project_id, member.id, "viewer")
    return {"path": {"user_id": member.id}, "json": {"role": "editor"}}


@recipe(f"POST {P}/{{project_id}}/invitations")
def _(scene, person):
    return {"json": {"email": f"{scene.world.fresh('guest')}@example.org"}}


@recipe(f"DELETE {P}/{{project_id}}/invitations/{{invitation_id}}")
def _(scene, person):
    guest = f"{scene.world.fresh('guest')}@example.org"
    return {"path": {"invitation_id": scene.world.invitation(scene.project_id, guest)}}


@recipe(f"POST {E}")
def _(scene, person):
    return {"json": {"project_id": str(scene.project_id), "brief": bakery.BRIEF, "model": "offline"}}


@recipe(f"POST {E}/{{execution_id}}/answers")
def _(scene, person):
    return {"path": {"execution_id": scene.world.asking(scene.project_id)}, "json": {"answers": {"Q-1": "That one."}}}


@recipe(f"POST {E}/{{execution_id}}/accept")
def _(scene, person):
    return {"path": {"execution_id": scene.world.at_a_gate(scene.project_id)}, "json": {}}


@recipe(f"POST {E}/{{execution_id}}/reject")
def _(scene, person):
    return {"path": {"execution_id": scene.world.at_a_gate(scene.project_id)}, "json": {"reason": "Too short."}}


@recipe(f"POST {E}/{{execution_id}}/decide")
def _(scene, person):
    body = {"action": "try_again", "guidance": "Say who bakes."}
    return {"path": {"execution_id": scene.world.undecided(scene.project_id)}, "json": body}


@recipe(f"POST {E}/{{execution_id}}/cancel")
def _(scene, person):
    return {"path": {"execution_id": scene.world.queued(scene.project_id)}}


@recipe(f"POST {E}/{{execution_id}}/resume")
def _(scene, person):
    return {"path": {"execution_id": scene.world.failed(scene.project_id)}, "json": {}}


@recipe(f"POST {E}/{{execution_id}}/fork")
def _(scene, person):
    return {"json": {"from_step": "review"}}


@recipe(f"POST {E}/{{execution_id}}/calls/{{call_id}}/settle")
def _(scene, person):
    server = scene.world.server
    call_id = server.do(unknown_call(server.serving.database, scene.done))
    return {"path": {"call_id": call_id}, "json": {"usd": "0.1"}}


@recipe(f"GET {D}", f"GET {E}", "GET /api/v1/costs")
def _(scene, person):
    return {"params": {"project": str(scene.project_id)}}


@recipe(*(f"GET {D}/{{document_id}}{rest}" for rest in ("", "/versions", "/export")))
def _(scene, person):
    query = "SELECT id FROM documents WHERE project_id = :id AND type = 'requirements-doc' AND version = 1"
    return {"path": {"document_id": scene.world.sql(query, id=scene.project_id)[0].id}}


@recipe(f"GET {D}/{{document_id}}/diff")
def _(scene, person):
    scene.world.document(scene.project_id, "sketch", {"n": 1})
    return {"path": {"document_id": scene.world.document(scene.project_id, "sketch", {"n": 2})}}


@recipe("GET /api/v1/workflows/{workflow_id}")
def _(scene, person):
    return {"path": {"workflow_id": "strategy-document"}}


@recipe("GET /api/v1/workflows/{workflow_id}/schemas/{document_type}")
def _(scene, person):
    return {"path": {"workflow_id": "strategy-document", "document_type": "requirements-doc"}}


@recipe("POST /api/v1/estimates")
def _(scene, person):
    return {"json": {"brief": bakery.BRIEF, "model": "offline"}}


@recipe("DELETE /api/v1/me/identities/{identity_id}")
def _(scene, person):
    return {"path": {"identity_id": scene.world.identity(person.id, f"{scene.world.fresh('alias')}@example.org")}}


@recipe("DELETE /api/v1/me/sessions/{session_id}")
def _(scene, person):
    return {"path": {"session_id": scene.world.session(person.id)[0]}}


@recipe(*(f"POST /api/v1/me/invitations/{{invitation_id}}/{done}" for done in ("accept", "decline")))
def _(scene, person):
    return {"path": {"invitation_id": scene.world.invitation(scene.world.project("new"), person.email)}}


@recipe("POST /api/v1/tokens")
def _(scene, person):
    return {"json": {"name": "mine", "scope": "read"}}


@recipe("DELETE /api/v1/tokens/{token_id}")
def _(scene, person):
    return {"path": {"token_id": scene.world.token(person.id)[0]}}


@recipe(
    "PUT /api/v1/users/{user_id}/role", *(f"POST /api/v1/users/{{user_id}}/{done}" for done in ("disable", "enable"))
)
def _(scene, person):
    return {"path": {"user_id": scene.world.person().id}, "json": {"role": "admin"}}


@recipe("GET /login/local")
def _(scene, person):
    async def issue():
        return scene.world.server.serving.one_time_links.issue()

    return {"params": {"key": scene.world.server.do(issue())}}


@recipe("GET /login/{provider}", "GET /login/{provider}/callback")
def _(scene, person):
    return {"at": scene.with_provider, "path": {"provider": "corp"}}


@pytest.fixture(scope="module")
def scene(shared_server_url) -> Iterator[Scene]:
    """One server in local mode, one with a provider, both on one database."""
    with ExitStack() as stack:
        url = stack.enter_context(new_database(shared_server_url))
        issuer = stack.enter_context(own_issuer(new_key()))
        provider = {"corp": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "issuer": issuer.url}}
        server = stack.enter_context(api_server(url))
        other = stack.enter_context(api_server(url, oidc_providers=provider, oidc_allowed_domains=("example.org",)))
        client = stack.enter_context(server.client())
        yield Scene(World(server), client, other.url).prepare()


def routes() -> set[str]:
    """Those that answer, whether the API's document names them or not."""
    app = create_app(Settings())
    plain = [route for route in app.router.routes if isinstance(route, Route)]
    found = [*plain, *(route for router in _ROUTERS for route in router.routes)]
    return {f"{method} {route.path}" for route in found for method in route.methods}


def test_every_route_has_its_row_and_every_row_its_route():
    assert TABLE.keys() == routes()


def test_what_lies_beside_the_routes_is_for_everybody(scene):
    """Files for the pages; nothing else is mounted."""
    mounts = [route.path for route in create_app(Settings()).router.routes if isinstance(route, Mount)]
    assert mounts == ["/static"]
    assert scene.client.get("/static/app.css").status_code == 200


def test_the_table_has_no_row_twice():
    assert len(ROW.findall(PAGE.read_text(encoding="utf-8"))) == len(TABLE)


def test_whoever_sees_nothing_is_told_nothing():
    """A stranger gets 404, never 403, from whatever belongs to a project."""
    of_a_project = {route for route in TABLE if re.search(r"\{(project|execution|document)_id\}", route)}
    assert {TABLE[route]["other"] for route in of_a_project} == {404}
    assert {TABLE[route]["anonymous"] for route in of_a_project} == {401}


@pytest.mark.parametrize("route", TABLE)
def test_who_may_do_what(scene, route):
    assert {actor: scene.ask(route, actor).status_code for actor in ACTORS} == TABLE[route]


def test_the_document_names_every_status_of_the_table():
    """And, where something is changed, that of a page of another site."""
    documented = {name: set(one["responses"]) for name, one in operations(create_app(Settings()).openapi())}
    for route in TABLE.keys() & documented.keys():
        assert {str(status) for status in TABLE[route].values()} <= documented[route], route
        assert route.split(" ")[0] in SAFE or "403" in documented[route], route


@pytest.mark.parametrize("route", TABLE)
def test_a_user_who_is_shut_out_is_as_good_as_one_whose_token_has_expired(scene, route):
    assert scene.ask(route, "disabled").status_code == TABLE[route]["expired"]


@pytest.mark.parametrize("route", TABLE)
def test_a_session_is_worth_what_its_user_is(scene, route):
    assert scene.ask(route, "session").status_code == TABLE[route]["owner"]


OTHER_SITES = (
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.org"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example.org"},
    {"Origin": "null"},
)
UNSAFE = [route for route in TABLE if route.split(" ")[0] not in SAFE]


@pytest.mark.parametrize("route", UNSAFE)
def test_a_page_of_another_site_changes_nothing_with_the_cookie(scene, route):
    found = [scene.ask(route, "session", site) for site in OTHER_SITES]
    assert [(one.status_code, one.json()["error"]["code"]) for one in found] == [(403, "other_site")] * len(OTHER_SITES)


@pytest.mark.parametrize("route", [f"POST {E}", f"DELETE {P}/{{project_id}}/members/{{user_id}}", "POST /logout"])
def test_a_page_of_ours_does(scene, route):
    own = ({"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": scene.world.server.url})
    assert {scene.ask(route, "session", site).status_code for site in own} == {TABLE[route]["owner"]}


def test_a_token_is_no_cookie_and_may_be_sent_from_anywhere(scene):
    assert {scene.ask(f"POST {E}", "owner", site).status_code for site in OTHER_SITES} == {201}


def test_another_site_cannot_link_its_identity_to_who_is_signed_in(scene):
    cookie = scene.session(scene.people["owner"])
    url = f"{scene.with_provider}/login/corp"
    found = [scene.client.get(url, params={"link": "1"}, headers={**cookie, **site}) for site in OTHER_SITES]
    assert {one.status_code for one in found} == {403}


def test_everybody_may_leave_but_the_last_owner(scene):
    leaving, last = scene.world.person("leaving"), scene.world.person("last")
    project_id = scene.world.project("left", {leaving.id: "viewer", last.id: "owner"})

    def leave(person):
        return scene.client.delete(f"{P}/{project_id}/members/{person.id}", headers=bearer(person.token))

    assert [leave(leaving).status_code, leave(leaving).status_code, leave(last).status_code] == [204, 404, 409]


def test_a_token_wins_over_a_cookie_and_a_wrong_one_is_not_passed_over(scene):
    both = scene.session(scene.people["owner"]) | bearer("cmb_wrong")
    assert scene.client.get("/api/v1/me", headers=both).status_code == 401


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "Bearer",
        "Basic dTpw",
        "cmb_x",
        "Bearer cmb_x",
        "Bearer cmb_ x",
        "Token é",
        "Bearer " + "x" * 9000,
    ],
)
def test_a_credential_in_the_wrong_form_is_refused(scene, credential):
    found = scene.client.get("/api/v1/me", headers={"Authorization": credential.encode("latin-1")})
    assert (found.status_code, found.headers["WWW-Authenticate"]) == (401, "Bearer")

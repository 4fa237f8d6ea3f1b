"""A good request for every route of the server, sent as people of every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import bakery
import httpx2
from api_server import api_server, new_database
from api_world import Person, World
from ledger import unknown_call
from own_issuer import CLIENT_ID, CLIENT_SECRET, new_key, own_issuer
from starlette.routing import Route

from combine.main import _ROUTERS, create_app
from combine.settings import Settings


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

    def ask(self, route: str, actor: str, more: dict[str, str] | None = None, **changes: Any) -> httpx2.Response:
        """Send a good request for that route, on things of its own where it changes any.

        ``changes``: what is sent in place of its parts; a ``path`` with other ids, for example.
        """
        method, path = route.split(" ")
        person = self.people[actor]
        given = RECIPES[route](self, person) if route in RECIPES else {}
        values = {"project_id": self.project_id, "execution_id": self.done} | given.pop("path", {})
        url = given.pop("at", "") + path.format(**(values | changes.pop("path", {})))
        mine = self.session(person) if actor == "session" else self.headers[actor]
        response = self.client.request(method, url, headers={**mine, **(more or {})}, **(given | changes))
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


@contextmanager
def open_scene(server_url: str) -> Iterator[Scene]:
    """One server in local mode, one with a provider, both on one database; ``server_url``: that of the test run."""
    with ExitStack() as stack:
        url = stack.enter_context(new_database(server_url))
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

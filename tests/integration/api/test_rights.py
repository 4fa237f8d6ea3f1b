"""docs/rights.md is the test: each cell of its table is a request, and each route has a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_recipes import E, P, Scene, bearer, open_scene, routes
from starlette.routing import Mount

from combine.api.application import operations
from combine.main import create_app
from combine.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "rights.md"
ROW = re.compile(r"^\| `([A-Z]+) (/\S*)` \|(.*)\|$", re.MULTILINE)
ACTORS = ("anonymous", "other", "viewer", "editor", "owner", "admin", "read", "run", "expired", "revoked")
SAFE = {"GET", "HEAD"}


def rows() -> dict[str, dict[str, int]]:
    """Route -> who -> status, from the page."""
    found = {}
    for method, path, cells in ROW.findall(PAGE.read_text(encoding="utf-8")):
        found[f"{method} {path}"] = dict(zip(ACTORS, map(int, cells.split("|")), strict=True))
    return found


TABLE = rows()


@pytest.fixture(scope="module")
def scene(shared_server_url) -> Iterator[Scene]:
    with open_scene(shared_server_url) as opened:
        yield opened


def test_every_route_has_its_row_and_every_row_its_route():
    assert TABLE.keys() == routes()


def test_static_files_are_public(scene):
    """Only the files of the pages are mounted."""
    mounts = [route.path for route in create_app(Settings()).router.routes if isinstance(route, Mount)]
    assert mounts == ["/static"]
    assert scene.client.get("/static/app.css").status_code == 200


def test_the_table_has_no_row_twice():
    assert len(ROW.findall(PAGE.read_text(encoding="utf-8"))) == len(TABLE)


def test_strangers_get_a_404():
    """A stranger gets 404, never 403, for everything that belongs to a project."""
    of_a_project = {route for route in TABLE if re.search(r"\{(project|execution|document)_id\}", route)}
    assert {TABLE[route]["other"] for route in of_a_project} == {404}
    assert {TABLE[route]["anonymous"] for route in of_a_project} == {401}


@pytest.mark.parametrize("route", TABLE)
def test_who_may_do_what(scene, route):
    assert {actor: scene.ask(route, actor).status_code for actor in ACTORS} == TABLE[route]


def test_the_document_names_every_status_of_the_table():
    """And, for changes, the status of a cross-site request."""
    documented = {name: set(one["responses"]) for name, one in operations(create_app(Settings()).openapi())}
    for route in TABLE.keys() & documented.keys():
        assert {str(status) for status in TABLE[route].values()} <= documented[route], route
        assert route.split(" ")[0] in SAFE or "403" in documented[route], route


@pytest.mark.parametrize("route", TABLE)
def test_a_disabled_user_is_treated_like_an_expired_token(scene, route):
    assert scene.ask(route, "disabled").status_code == TABLE[route]["expired"]


@pytest.mark.parametrize("route", TABLE)
def test_a_session_has_the_rights_of_its_user(scene, route):
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
def test_a_page_of_this_server_may_use_the_cookie(scene, route):
    own = ({"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": scene.world.server.url})
    assert {scene.ask(route, "session", site).status_code for site in own} == {TABLE[route]["owner"]}


def test_a_token_may_be_sent_from_any_site(scene):
    assert {scene.ask(f"POST {E}", "owner", site).status_code for site in OTHER_SITES} == {201}


def test_another_site_cannot_link_its_identity_to_a_signed_in_user(scene):
    cookie = scene.session(scene.people["owner"])
    url = f"{scene.with_provider}/login/corp"
    found = [scene.client.get(url, params={"link": "1"}, headers={**cookie, **site}) for site in OTHER_SITES]
    assert {one.status_code for one in found} == {403}


def test_members_may_leave_except_the_last_owner(scene):
    leaving, last = scene.world.person("leaving"), scene.world.person("last")
    project_id = scene.world.project("left", {leaving.id: "viewer", last.id: "owner"})

    def leave(person):
        return scene.client.delete(f"{P}/{project_id}/members/{person.id}", headers=bearer(person.token))

    assert [leave(leaving).status_code, leave(leaving).status_code, leave(last).status_code] == [204, 404, 409]


def test_a_token_takes_precedence_over_a_cookie_even_if_it_is_wrong(scene):
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

"""Pagination: every item once, whatever changes in between; and forged cursors."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import bakery
import pytest
from api_server import api_server, new_database
from api_world import Person, World

from combine.api.application import operations
from combine.main import create_app
from combine.settings import Settings
from combine.storage.people.audit import Audit

DOCUMENT = create_app(Settings()).openapi()
PAGED = sorted(
    name.removeprefix("GET ")
    for name, one in operations(DOCUMENT)
    if any(parameter["name"] == "cursor" for parameter in one.get("parameters", ()))
)


@dataclass
class Lists:
    """One project with many items; an admin of the installation owns it."""

    world: World
    client: Any
    person: Person
    project_id: Any

    def page(self, path: str, **query: Any) -> Any:
        url = path.format(project_id=self.project_id, document_id="requirements-doc")
        response = self.client.get(url, params=query, headers={"Authorization": f"Bearer {self.person.token}"})
        assert response.status_code == 200, response.text
        return response.json()

    def walk(self, path: str, limit: int, between: Callable[[], Any] = lambda: None, **query: Any) -> list[Any]:
        """Every item, page by page."""
        found, cursor = [], {}
        while True:
            page = self.page(path, limit=limit, **cursor, **query)
            assert 0 < len(page["items"]) <= limit or not found
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            assert len(page["items"]) == limit
            cursor = {"cursor": page["next_cursor"]}
            between()

    def add(self, path: str) -> Any:
        """One more item of that list."""
        return ADD[path](self)


ADD: dict[str, Callable[[Lists], Any]] = {
    "/api/v1/projects": lambda lists: lists.world.project("more", {lists.person.id: "viewer"}),
    "/api/v1/projects/{project_id}/members": lambda lists: lists.world.member(
        lists.project_id, lists.world.person().id, "viewer"
    ),
    "/api/v1/projects/{project_id}/invitations": lambda lists: lists.world.invitation(
        lists.project_id, f"{uuid4().hex}@example.org"
    ),
    "/api/v1/projects/{project_id}/audit": lambda lists: lists.world.write(
        Audit,
        "add",
        "project.budget_set",
        user_id=None,
        token_id=None,
        project_id=lists.project_id,
        object_=None,
        data={},
    ),
    "/api/v1/executions": lambda lists: lists.world.queued(lists.project_id),
    "/api/v1/documents": lambda lists: lists.world.document(lists.project_id, "requirements-doc"),
    "/api/v1/documents/{document_id}/versions": lambda lists: lists.add("/api/v1/documents"),
    "/api/v1/tokens": lambda lists: lists.world.token(lists.person.id),
    "/api/v1/users": lambda lists: lists.world.person(),
    "/api/v1/audit": lambda lists: lists.add("/api/v1/projects/{project_id}/audit"),
}
GROWING = sorted(ADD)


def key(item):
    """The identity of an item of any list."""
    return item.get("id") or item.get("user_id") or item["workflow_id"]


@pytest.fixture(scope="module")
def lists(shared_server_url):
    with new_database(shared_server_url) as url, api_server(url) as server, server.client() as client:
        world = World(server)
        person = world.person("lists", role="admin")
        made = Lists(world, client, person, world.project("full", {person.id: "owner"}))
        for path in GROWING:
            for _ in range(5):
                made.add(path)
        yield made


def test_every_list_with_pages_is_here():
    assert [*GROWING, "/api/v1/workflows"] == PAGED


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
@pytest.mark.parametrize("path", PAGED)
def test_pages_together_are_the_list(lists, path, limit):
    whole = lists.page(path, limit=200)
    assert whole["next_cursor"] is None
    assert [key(one) for one in lists.walk(path, limit)] == [key(one) for one in whole["items"]]


@pytest.mark.parametrize("path", GROWING)
def test_items_added_meanwhile_neither_repeat_nor_hide_others(lists, path):
    before = [key(one) for one in lists.page(path, limit=200)["items"]]
    found = [key(one) for one in lists.walk(path, 2, lambda: lists.add(path))]
    assert len(found) == len(set(found))
    assert [one for one in found if one in before] == before


TIED = {
    "/api/v1/executions": "executions",
    "/api/v1/documents": "documents",
    "/api/v1/tokens": "api_tokens",
    "/api/v1/users": "users",
    "/api/v1/projects/{project_id}/members": "project_members",
    "/api/v1/projects/{project_id}/invitations": "invitations",
}


@pytest.mark.parametrize("path", TIED)
def test_items_of_the_same_moment_are_not_lost_between_pages(lists, path):
    lists.world.sql(f"UPDATE {TIED[path]} SET created_at = '2026-01-01T00:00:00.123456Z'")
    whole = [key(one) for one in lists.page(path, limit=200)["items"]]
    assert len(whole) >= 5
    assert [key(one) for one in lists.walk(path, 1)] == whole


def test_items_removed_meanwhile_hide_no_others(lists):
    """The last item of a page is gone before the next page is asked for."""
    path = "/api/v1/projects/{project_id}/members"
    first = lists.page(path, limit=2)
    rest = [key(one) for one in lists.page(path, limit=200)["items"]][2:]
    gone = first["items"][-1]["user_id"]
    lists.world.sql("DELETE FROM project_members WHERE user_id = cast(:id AS uuid)", id=gone)
    found = lists.page(path, limit=200, cursor=first["next_cursor"])["items"]
    assert [key(one) for one in found] == rest


def test_filters_hold_on_every_page(lists):
    other = lists.world.project("filtered", {lists.person.id: "owner"})
    wanted = [str(lists.world.queued(other)) for _ in range(5)]
    lists.client.post(
        f"/api/v1/executions/{wanted[0]}/cancel", headers={"Authorization": f"Bearer {lists.person.token}"}
    )
    found = lists.walk("/api/v1/executions", 2, project=str(other), status="queued")
    assert [one["id"] for one in found] == wanted[:0:-1]
    named = lists.walk("/api/v1/executions", 2, project=lists.world.project_name(other))
    assert [one["id"] for one in named] == wanted[::-1]
    briefs = lists.walk("/api/v1/documents", 1, type="brief")
    assert {one["type"] for one in briefs} == {"brief"}


@pytest.mark.parametrize("path", PAGED)
@pytest.mark.parametrize("limit", ["0", "-1", "201", "1.5", "x", "", "9" * 30, "٣", "1_0", "0x1"])
def test_a_limit_has_bounds(lists, path, limit):
    assert refused(lists, path, limit=limit) == "request_invalid"


@pytest.mark.parametrize("path", PAGED)
def test_a_forged_cursor_is_refused(lists, path):
    packed = [b"", b"[]", b"{}", b"null", b"1", b'["x"', b"[[]]", b'[{"a": 1}]', b"[null, null]", b"\xff\xfe", b"[NaN]"]
    packed += [json.dumps([1, 2, 3]).encode(), b'["\\u0000"]', b'["\\ud800"]', b"[" * 370, b'["2026-01-01", "x"]']
    packed += [f"[{2**63}]".encode(), f"[{10**300}]".encode(), b"[true]", b"[1.0]", b'["2026-01-01T00:00:00", "x"]']
    cursors = [
        "x",
        "!",
        "..",
        "%",
        "ä",
        "a" * 500,
        " ",
        *(base64.urlsafe_b64encode(one).decode() for one in packed[1:]),
    ]
    found = {cursor: refused(lists, path, cursor=cursor) for cursor in cursors}
    assert {cursor: code for cursor, code in found.items() if code != "cursor_invalid"} == {}
    assert refused(lists, path, cursor="a" * 5000) == "request_invalid"
    assert refused(lists, path, cursor="") == "request_invalid"


@pytest.mark.parametrize("path", GROWING)
def test_a_cursor_that_was_changed_is_refused_or_another_place(lists, path):
    """Never a 500, and never an item that is not in the list."""
    cursor = lists.page(path, limit=2)["next_cursor"]
    whole = {key(one) for one in lists.page(path, limit=200)["items"]}
    headers = {"Authorization": f"Bearer {lists.person.token}"}
    url = path.format(project_id=lists.project_id, document_id="requirements-doc")
    for place in range(0, len(cursor), 3):
        for letter in "A9_":
            changed = cursor[:place] + letter + cursor[place + 1 :]
            found = lists.client.get(url, params={"cursor": changed, "limit": 200}, headers=headers)
            assert found.status_code in {200, 422}, found.text
            if found.status_code == 200:
                assert {key(one) for one in found.json()["items"]} <= whole


@pytest.mark.parametrize("path", ["/api/v1/me/sessions", "/api/v1/me/invitations"])
def test_short_lists_are_one_page_in_the_same_format(lists, path):
    for _ in range(3):
        lists.world.session(lists.person.id)
        lists.world.invitation(lists.world.project(), lists.person.email)
    found = lists.page(path)
    assert (len(found["items"]) >= 3, found["next_cursor"]) == (True, None)


def test_the_steps_of_an_execution_are_one_page(lists):
    execution_id = lists.world.completed(lists.world.project("steps", {lists.person.id: "owner"}))
    found = lists.page(f"/api/v1/executions/{execution_id}/steps")
    assert ([one["output"] for one in found["items"]], found["next_cursor"]) == (list(bakery.TYPES), None)


def refused(lists, path, **query):
    url = path.format(project_id=lists.project_id, document_id="requirements-doc")
    found = lists.client.get(url, params=query, headers={"Authorization": f"Bearer {lists.person.token}"})
    return found.json()["error"]["code"] if found.status_code == 422 else found.status_code

"""Amounts of money have one format in all responses: text with six decimal places."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from api_server import api_server, new_database
from api_world import World

from combine.api.answers import answer
from combine.api.errors import public_details
from combine.services.views import UsdRange

FORM = re.compile(r"[0-9]+\.[0-9]{6}")


def amounts(value, name=""):
    """Every amount in a response, by name."""
    if isinstance(value, dict):
        for key, one in value.items():
            inner = key.endswith("usd") or name.endswith("usd")
            yield from amounts(one, f"{name}.{key}.usd" if inner else f"{name}.{key}")
    elif isinstance(value, list):
        for one in value:
            yield from amounts(one, name)
    elif name.endswith("usd") and value is not None:
        yield name, value


@pytest.fixture(scope="module")
def found(shared_server_url):
    with new_database(shared_server_url) as url, api_server(url, llm_default_model="offline") as server:
        world = World(server)
        person = world.person(role="admin")
        project = world.project("project", {person.id: "owner"})
        done = world.completed(project)
        with server.client(person.token) as client:
            client.patch(f"/api/v1/projects/{project}", json={"budget_usd": "5"}).raise_for_status()
            paths = (
                f"projects/{project}",
                f"executions/{done}",
                f"executions/{done}/steps",
                "executions",
                "costs",
                "costs?group_by=step",
            )
            answers = {path: client.get(f"/api/v1/{path}").raise_for_status().json() for path in paths}
            sent = client.post("/api/v1/estimates", json={"brief": "Sell bread."})
            yield {**answers, "estimates": sent.raise_for_status().json()}


def test_amounts_have_one_format_everywhere(found):
    told = {path: list(amounts(value)) for path, value in found.items()}
    assert {path for path, some in told.items() if some} >= {"costs", "estimates", "executions"}
    assert [(path, one) for path, some in told.items() for one in some if not FORM.fullmatch(str(one[1]))] == []


@pytest.mark.parametrize("value", ["0", "0.000000", "0E-6", "1E+2", "12.5", "9999999"])
def test_amounts_have_one_format_however_they_are_stored(value):
    kept = Decimal(value)
    expected = f"{float(value):.6f}"
    body = bytes(answer(UsdRange, UsdRange(kept, kept)).body)
    assert body == f'{{"low":"{expected}","high":"{expected}"}}'.encode()
    assert public_details({"spent_usd": kept}) == {"spent_usd": expected}

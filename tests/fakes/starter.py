"""Somebody who starts executions over the HTTP API, in a project of theirs or in one that they name."""

from __future__ import annotations

from dataclasses import dataclass

import bakery
import httpx2
from api_world import Person, World

URL = "/api/v1/executions"


@dataclass
class Starter:
    """One person, with the bakery's brief and no language model."""

    world: World
    client: httpx2.Client
    person: Person
    project_id: str | None = None

    def body(self, **changes):
        """What a start sends; what is None is left out."""
        given = {"project_id": self.project_id, "brief": bakery.BRIEF, "model": "offline", **changes}
        return {name: value for name, value in given.items() if value is not None}

    def headers(self, key=None, token=None):
        """Of a request by this person, or with another token."""
        return {"Authorization": f"Bearer {token or self.person.token}", **({"Idempotency-Key": key} if key else {})}

    def start(self, key=None, token=None, **changes):
        """One POST."""
        return self.client.post(URL, json=self.body(**changes), headers=self.headers(key, token))

    def executions(self):
        """How many there are in the project."""
        return self.world.sql("SELECT count(*) FROM executions WHERE project_id = :id", id=self.project_id)[0][0]

    def projects(self, name):
        """All of that name."""
        return self.world.sql("SELECT id FROM projects WHERE name = :name", name=name)

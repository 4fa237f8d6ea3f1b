"""A client that follows an execution, while the servers that it follows it at are killed one after the other."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle

import httpx2
import pytest
from api_house import HandMoved, messages, until
from serve_process import ServeProcess

from combine.auth.permissions import OPERATOR, Scope
from combine.services.tokens import TokenService

EVENTS = 120
KILLS = 3
AHEAD = 5


@pytest.fixture
def servers(database_url, tmp_path):
    """Two on one database; no worker, as the test itself is what moves the execution."""
    environment = {
        **os.environ,
        "COMBINE_DATABASE_URL": database_url,
        "COMBINE_DATA_DIR": str(tmp_path),
        "COMBINE_RATE_LIMIT_SIGN_IN": "1000/minute",
    }
    both = [ServeProcess(environment, tmp_path).start("--no-worker") for _ in range(2)]
    yield both
    for server in both:
        server.kill()


@dataclass
class Follower:
    """Reads on behind what it has seen, wherever it is sent."""

    token: str
    path: str
    seen: list[int] = field(default_factory=list)
    ended_as: str | None = None

    async def follow(self, server: ServeProcess, kill_after: int) -> None:
        """Until the end, or until the server is gone, which is killed after so many events, in the middle of them."""
        headers = {"Authorization": f"Bearer {self.token}", "Last-Event-ID": str(len(self.seen))}
        client = httpx2.AsyncClient(base_url=server.url, timeout=60, trust_env=False)
        with suppress(httpx2.TransportError):
            async with client, client.stream("GET", self.path, headers=headers) as response:
                assert response.status_code == 200, await response.aread()
                async for message in messages(response):
                    if message.event == "end":
                        self.ended_as = message.json["status"]
                    elif message.id is not None:
                        self.seen.append(int(message.id))
                    if len(self.seen) == kill_after:
                        server.process.kill()


async def test_no_gap_and_no_repeat_at_another_replica_and_after_a_restart(servers, database):
    moved = HandMoved(database)
    execution_id = await moved.new()
    token = (await TokenService(database, actor=OPERATOR).create("follower", Scope.READ)).secret
    follower = Follower(token, f"/api/v1/executions/{execution_id}/events")
    writing = asyncio.create_task(write(moved, execution_id, follower))
    for kills, server in enumerate(cycle(servers)):
        await follower.follow(server, EVENTS // (KILLS + 1) * (kills + 1) if kills < KILLS else 0)
        if follower.ended_as:
            break
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start, "--no-worker")
    await writing
    assert kills == KILLS
    assert follower.seen == list(range(1, EVENTS + 2))
    assert follower.ended_as == "completed"


async def write(moved, execution_id, follower):
    """Never far ahead of who follows, so that each server is killed with events still to come."""
    for number in range(EVENTS):
        await until(lambda number=number: number - len(follower.seen) < AHEAD, seconds=90)
        await moved.event(execution_id)
    await moved.status(execution_id, "completed")

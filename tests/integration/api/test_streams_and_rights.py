"""An open stream whose reader loses access."""

from __future__ import annotations

import pytest
from api_server import api_server
from api_world import World

from combine.api import event_stream
from combine.api.event_stream import StreamTimings

LOSSES = {
    "the token is revoked": "UPDATE api_tokens SET revoked_at = clock_timestamp()",
    "the user is shut out": "UPDATE users SET disabled_at = clock_timestamp() WHERE role = 'member'",
    "the user is no member any more": "DELETE FROM project_members",
}


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(event_stream, "DEFAULT_TIMINGS", StreamTimings(heartbeat_s=0.05, check_access_s=0.05))


@pytest.mark.parametrize("loss", LOSSES)
def test_it_is_cut(impatient, database_url, loss):
    with api_server(database_url) as server:
        world = World(server)
        reader = world.person("reader")
        execution_id = world.asking(world.project("ours", {reader.id: "viewer"}))
        path = f"/api/v1/executions/{execution_id}/events"
        with server.client(reader.token) as client, client.stream("GET", path) as response:
            lines = response.iter_lines()
            while not next(lines).startswith(":"):  # all events were sent, and the stream stays open
                pass
            world.sql(f"{LOSSES[loss]} RETURNING 1")
            rest = list(lines)
        assert not [line for line in rest if line.startswith("event: end")]
        with server.client(reader.token) as client:
            assert client.get(path).status_code in {401, 404}


def test_it_continues_while_access_is_allowed(impatient, database_url):
    with api_server(database_url) as server:
        world = World(server)
        reader = world.person("reader")
        execution_id = world.asking(world.project("ours", {reader.id: "viewer"}))
        path = f"/api/v1/executions/{execution_id}/events"
        with server.client(reader.token) as client, client.stream("GET", path) as response:
            beats = 0
            for line in response.iter_lines():
                beats += line.startswith(":")
                if beats == 5:
                    break
        assert beats == 5

"""One client's mistakes or expensive requests do not affect the others."""

import asyncio
import threading

import psycopg
import pytest
from api_server import api_server
from api_world import World

from combine.auth.secrets import new_token


@pytest.fixture
def world(database_url):
    with api_server(database_url, rate_limit_sign_in="5/minute") as server:
        yield World(server)


def test_wrong_tokens_do_not_lock_out_valid_ones_of_the_same_address(world):
    good = world.person()
    cookie = world.session(good.id)[1]
    with world.server.client(new_token()) as stranger:
        answers = [stranger.get("/api/v1/me").status_code for _ in range(7)]
    assert answers == [401] * 5 + [429] * 2
    with world.server.client(good.token) as client:
        assert client.get("/api/v1/me").status_code == 200
    with world.server.client(cookies={"combine_session": cookie}) as browser:
        assert browser.get("/api/v1/me").status_code == 200


def test_rendering_a_slow_page_does_not_block_other_requests(world):
    editor = world.person()
    project_id = world.project(members={editor.id: "editor"})
    body = {"project_id": str(project_id), "brief": "We bake. " + "![" * 60_000, "model": "offline"}
    with world.server.client(editor.token) as client:
        assert client.post("/api/v1/executions", json=body).status_code == 201
        exported = threading.Event()

        def export():
            with world.server.client(editor.token) as other:
                other.get("/api/v1/documents/brief/export?format=html").raise_for_status()
            exported.set()

        thread = threading.Thread(target=export)
        thread.start()
        answered = 0
        while not exported.wait(0.005):
            client.get("/health").raise_for_status()
            answered += 1
        thread.join()
    assert answered > 3


def test_an_unavailable_database_is_not_described_to_strangers(server):
    host = psycopg.conninfo.conninfo_to_dict(server.url)["host"]
    with api_server(server.url) as running, running.client(new_token()) as stranger:
        assert stranger.get("/api/v1/me").status_code == 401
        server.crash()
        answer = stranger.get("/api/v1/me")
        server.start()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_unavailable")
    for part in (host, "socket", "COMBINE_"):
        assert part not in answer.text


def test_a_server_without_free_connections_is_busy(database_url):
    with api_server(database_url, database_pool_size=1) as running, running.client(new_token()) as stranger:
        database, taken, over = running.serving.database, threading.Event(), asyncio.Event()

        async def take():
            async with database.read():
                taken.set()
                await over.wait()

        taking = threading.Thread(target=lambda: running.do(take()))
        taking.start()
        assert taken.wait(20)
        answer = stranger.get("/api/v1/me")
        running.do(_set(over))
        taking.join()
        assert stranger.get("/api/v1/me").status_code == 401
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "server_busy")
    assert "busy" in answer.json()["error"]["message"]
    assert int(answer.headers["retry-after"]) > 0
    for part in ("reached", "Pool", "COMBINE_"):
        assert part not in answer.text


async def _set(event):
    event.set()

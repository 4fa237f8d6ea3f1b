import psycopg
import pytest
from api_house import live_server, until

from combine import __version__
from combine.api import health
from combine.bootstrap.serving import open_serving
from combine.main import create_app
from combine.storage.server.migrate import head_version


@pytest.fixture
async def serving(settings):
    async with open_serving(settings, print) as opened:
        await until(lambda: opened.listener.is_connected)
        yield opened


@pytest.fixture
async def client(settings, serving):
    app = create_app(settings, serving=serving, routers=(health.router,))
    async with live_server(app) as server, server.client() as made:
        yield made


async def test_liveness_readiness_and_version(client):
    assert (await client.get("/health")).json() == {"status": "alive"}
    assert (await client.get("/health/ready")).json() == {"status": "ready"}
    assert (await client.get("/version")).json() == {"version": __version__}
    for path in ("/health", "/health/ready"):
        asked = await client.head(path)
        assert (asked.status_code, asked.content) == (200, b"")


async def test_being_ready_needs_no_connection_of_the_pool(client, serving):
    pool = serving.database.engine.pool
    held = [await serving.database.engine.connect() for _ in range(pool.size())]
    try:
        assert (await client.get("/health/ready")).status_code == 200
        metrics = (await client.get("/metrics")).text
        assert f'combine_database_connections{{state="in_use"}} {len(held)}.0' in metrics
    finally:
        for one in held:
            await one.close()


@pytest.mark.parametrize(
    ("version", "oldest", "ready"),
    [(head_version(), "0001", True), ("9999", "0001", True), ("9999", "9999", False), ("0001", "0001", False)],
)
async def test_the_schema_is_ours_or_compatible(client, database_url, version, oldest, ready):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [version])
        connection.execute("UPDATE compatibility SET oldest_revision = %s", [oldest])
    answer = await client.get("/health/ready")
    if ready:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 503
        error = answer.json()["error"]
        assert error["code"] == "not_ready"
        assert error["details"]["checks"] == {"database": "ok", "listener": "ok", "schema": "failed"}
        assert answer.headers["retry-after"]


async def test_a_listener_that_was_cut_comes_back(client, serving, database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'combine-listener' AND datname = current_database()"
        )
    await until(lambda: not serving.listener.is_connected)

    async def ready():
        return (await client.get("/health/ready")).status_code == 200

    await until(ready)


async def test_metrics_are_there_unless_switched_off(client, settings, serving):
    answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "process_resident_memory_bytes" in answer.text
    settings = settings.model_copy(update={"enable_metrics": False})
    app = create_app(settings, serving=serving, routers=(health.router,))
    async with live_server(app) as server, server.client() as other:
        refused = await other.get("/metrics")
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "metrics_off")

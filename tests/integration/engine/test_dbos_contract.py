"""What ``engine/dbos_private.py`` takes for granted of DBOS. If one of these fails, DBOS has changed."""

import asyncio
import inspect
import subprocess
import sys
from importlib.metadata import version
from uuid import uuid4

import dbos
import pytest
import sqlalchemy as sa
from dbos import _migration, _queue
from dbos._dbos import DBOS
from dbos._schemas.system_database import SystemSchema

from combine.engine import dbos_private
from combine.engine.alive import SHARED_QUEUE
from combine.engine.engine import Engine
from combine.engine.queue import APP_NAME, APP_VERSION, SEGMENT_NAME, Adoption, SharedQueue
from combine.engine.queue_tables import TABLES_VERSION, make_queue_tables
from combine.storage.core.database import Database
from combine.storage.core.listener import EventListener


def test_the_pinned_version_is_the_one_whose_insides_we_know():
    assert version("dbos") == "3.4.0"
    assert dbos.DBOS is DBOS


@pytest.mark.parametrize(
    "column",
    ["workflow_uuid", "status", "owner_xid", "executor_id", "queue_name", "name", "started_at_epoch_ms", "updated_at"],
)
def test_the_columns_that_fence_and_recovery_use(column):
    assert column in SystemSchema.workflow_status.c


def test_the_loop_that_claims_segments_waits_on_the_event_it_is_given():
    assert list(inspect.signature(_queue.queue_worker_thread).parameters) == ["stop_event", "dbos", "queue"]
    assert inspect.getsource(_queue.queue_worker_thread).count("stop_event.wait(timeout=") == 1


def test_arguments_come_back_from_json_as_dbos_wants_them():
    serializer = dbos_private.JsonSerializer()
    arguments = {"args": ("b6f9", 3), "kwargs": {}}
    assert serializer.deserialize(serializer.serialize(arguments)) == arguments


def test_a_claim_outside_a_segment_is_an_error():
    with pytest.raises(RuntimeError, match="not inside"):
        dbos_private.current_claim()


async def pass_by(segment):
    """A segment that has nothing to do."""


async def test_our_enqueue_writes_what_that_of_dbos_writes(database_url):
    """Column by column; the id, the random token and the times aside."""
    database = Database(database_url)
    listener = EventListener(database_url)
    await listener.start()
    engine = Engine(database, listener, pass_by, kind="test", shared=True, version="0")
    execution_id = uuid4()
    client = dbos.DBOSClient(
        system_database_url=database_url, serializer=dbos_private.JsonSerializer(), application_name=APP_NAME, lazy=True
    )
    options = {
        "workflow_name": SEGMENT_NAME,
        "queue_name": SHARED_QUEUE,
        "workflow_id": "by-dbos",
        "app_version": APP_VERSION,
    }

    async def both(session):
        for _ in range(2):  # the second time changes nothing
            await engine.enqueue(session, execution_id, 1)
        await session.connection.run_sync(
            lambda connection: client.enqueue_in_transaction(connection, options, str(execution_id), 1)
        )
        return [await written(session, workflow) for workflow in (f"{execution_id}:1", "by-dbos")]

    async def written(session, workflow):
        tables = [
            await session.connection.execute(
                sa.text(f"SELECT * FROM dbos.{table} WHERE workflow_uuid = :id"), {"id": workflow}
            )
            for table in ("workflow_status", "workflow_input")
        ]
        rows = [dict(table.one()._mapping) for table in tables]
        aside = {"workflow_uuid", "creator_xid", "created_at", "updated_at", "retention_timestamp"}
        return [{name: value for name, value in row.items() if name not in aside} for row in rows]

    try:
        await engine.start()
        ours, theirs = await database.transact(both)
        assert ours == theirs
        assert ours[0]["status"] == "ENQUEUED"
    finally:
        await engine.drain()
        await asyncio.to_thread(client.destroy)
        await listener.close()
        await database.close()


async def test_the_threads_that_dbos_starts_for_itself_have_ended(database):
    """Most of them query the database every second, and one wakes a hundred times per second.

    The listener, which waits on a connection of its own, stays until DBOS ends.
    """
    listener = EventListener(database.url)
    engine = Engine(database, listener, pass_by, kind="test", shared=True, version="0")
    try:
        await engine.start()
        instance = dbos_private._instance()
        async with asyncio.timeout(20):
            while {
                thread.name
                for thread in instance._background_threads
                if thread.is_alive() and "notification_listener" not in thread.name
            } != {"combine-queue"}:
                await asyncio.sleep(0.02)
    finally:
        await engine.drain()


def test_the_version_of_the_tables_that_we_look_for_is_that_of_dbos():
    assert len(_migration.get_dbos_migrations("dbos", use_listen_notify=True)) == TABLES_VERSION


async def test_a_process_that_only_enqueues_makes_the_tables_once(database):
    assert await make_queue_tables(database) is True
    assert await make_queue_tables(database) is False
    execution_id = uuid4()

    async def twice(session):
        for _ in range(2):
            await SharedQueue().enqueue(session, execution_id, 1)
        return await SharedQueue().adopt(session, execution_id, 1)

    assert await database.transact(twice) is Adoption.ADOPTED
    ended = await database.transact(lambda session: SharedQueue().adopt(session, execution_id, 2))
    assert ended is Adoption.ENDED


def test_putting_segments_in_the_queue_loads_no_dbos():
    program = "import sys, combine.engine.queue, combine.engine.queue_tables; sys.exit('dbos' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

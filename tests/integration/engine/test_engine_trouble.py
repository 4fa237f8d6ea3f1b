"""The engine when its start is cut short, its database is away for a moment, or it is asked for what it does."""

import asyncio
import threading
from uuid import uuid4

import pytest
import sqlalchemy as sa
from dbos import _migration
from test_engine import engine_on, enqueue, state_of, until

from combine.engine import dbos_private
from combine.engine import engine as engine_module
from combine.engine.engine import Adoption, Engine
from combine.engine.recovery import Recovery
from combine.errors import DatabaseUnavailable
from combine.storage.core import locks
from combine.storage.core.database import Database
from combine.storage.core.listener import EventListener


async def idle(_): ...


def engine(database: Database) -> Engine:
    return Engine(database, EventListener(database.url), idle, kind="cli", shared=False, version="test", poll_s=0.02)


async def rows(database: Database, table: str) -> int:
    async with database.read() as session:
        return (await session.connection.execute(sa.text(f"SELECT count(*) FROM {table}"))).scalar_one()


async def test_a_start_without_a_database_can_be_drained():
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing")
    stillborn = engine(nowhere)
    with pytest.raises(DatabaseUnavailable):
        await stillborn.start()
    await stillborn.drain()
    await nowhere.close()


async def test_a_start_that_is_cancelled_leaves_nothing_behind(database):
    cut = engine(database)
    async with database.engine.begin() as other:
        await other.exec_driver_sql("BEGIN")
        await other.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": locks.ENGINE_LAUNCH})
        starting = asyncio.create_task(cut.start())

        async def waits_for_its_turn() -> bool:
            return await rows(database, "executors") == 1

        await until(waits_for_its_turn)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await cut.drain()
    assert await rows(database, "executors") == 0
    done = asyncio.Event()

    async def runner(_):
        done.set()

    async with engine_on(database, runner) as later:
        await enqueue(database, later, uuid4())
        await asyncio.wait_for(done.wait(), 20)


async def test_an_execution_that_runs_here_is_not_taken_from_ourselves(database):
    started, release = asyncio.Event(), asyncio.Event()

    async def runner(_):
        started.set()
        await release.wait()

    execution_id = uuid4()
    async with engine_on(database, runner) as running:
        await enqueue(database, running, execution_id)
        await asyncio.wait_for(started.wait(), 20)
        assert await database.transact(lambda session: running.adopt(session, execution_id, 1)) is Adoption.BUSY
        assert (await state_of(database, execution_id)).status == "PENDING"
        release.set()


async def test_recovery_outlives_an_outage(database, monkeypatch):
    swept = asyncio.Event()
    outages = iter([True, True, False])

    class Flaky(Database):
        async def transact(self, work, **options):
            if next(outages, False):
                raise DatabaseUnavailable("away")
            return await super().transact(work, **options)

    def seen() -> frozenset[str]:
        swept.set()
        return frozenset()

    monkeypatch.setattr(dbos_private, "running_here", seen)
    async with engine_on(database, idle):
        flaky = Flaky(database.url)
        swept.clear()
        task = asyncio.create_task(
            Recovery(flaky, "nobody", "q", every_s=0.01, enqueue=engine(database).enqueue, on_recovered=print).run()
        )
        await asyncio.wait_for(swept.wait(), 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await flaky.close()


async def test_every_failure_to_connect_counts_as_a_lost_connection_also_for_dbos(database):
    async with engine_on(database, idle):
        elsewhere = sa.create_engine("postgresql+psycopg://nobody@/nothing?host=/no/such/folder")
        with pytest.raises(sa.exc.OperationalError) as caught:
            elsewhere.connect()
        assert caught.value.connection_invalidated
        elsewhere.dispose()


async def test_a_segment_whose_failure_could_not_be_written_is_tried_again(database):
    runs: list[int] = []
    passes: list[float] = []
    again = asyncio.Event()

    async def runner(segment):
        runs.append(segment.round)
        if len(runs) == 1:
            raise LookupError("the disk is full")
        await database.transact(segment.claim.hold)
        again.set()

    async def is_over() -> bool:
        return bool(runs) and not dbos_private.running_here()

    async def seen_twice_and_no_more(seconds: float) -> None:
        passes.append(seconds)
        if len(passes) == 2:  # a third one might come between the second claim and its run
            await asyncio.Event().wait()

    async with engine_on(database, runner) as engine:
        await enqueue(database, engine, uuid4())
        await until(is_over)
        sweep = Recovery(
            database,
            engine.executor_id,
            engine.queue,
            enqueue=engine.enqueue,
            on_recovered=print,
            pause=seen_twice_and_no_more,
        )
        sweeping = asyncio.create_task(sweep.run())
        await asyncio.wait_for(again.wait(), 20)
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)
    assert runs == [1, 1]


def make_half_of_the_tables(url: str) -> None:
    """As DBOS does, up to the first of its migrations that makes the table of queues."""
    all_of_them, engine = _migration.get_dbos_migrations, sa.create_engine(url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_migration, "get_dbos_migrations", lambda *given: all_of_them(*given)[:21])
        _migration.ensure_dbos_schema(engine, "dbos")
        _migration.run_dbos_migrations(engine, "dbos", use_listen_notify=True)
    assert "queues" in sa.inspect(engine).get_table_names("dbos")
    engine.dispose()


async def test_a_start_goes_on_where_a_killed_one_has_left_the_tables(database):
    """DBOS makes its tables in more than a hundred commits at its first launch."""
    await asyncio.to_thread(make_half_of_the_tables, database.url)
    done = asyncio.Event()

    async def runner(_):
        done.set()

    async with engine_on(database, runner) as started:
        await enqueue(database, started, uuid4())
        await asyncio.wait_for(done.wait(), 20)


@pytest.mark.parametrize("outage", [True, False])
async def test_after_an_outage_others_get_time_to_send_their_heartbeat(database, outage):
    """They could not do it before either, so their age says nothing about them."""
    passes = []

    async def first() -> None:
        passes.append(1)
        if outage and len(passes) == 1:
            raise DatabaseUnavailable("away")

    async with engine_on(database, idle) as running:
        pass  # makes the tables, and has no recovery of its own left
    await database.transact(
        lambda session: session.connection.execute(
            sa.text(
                "INSERT INTO executors (id, kind, queue, host, pid, version, beat_at)"
                " VALUES ('elsewhere', 'worker', 'segments', 'elsewhere', 1, '1', now() - interval '1 minute')"
            )
        )
    )
    sweep = Recovery(database, "x", "q", every_s=0.01, enqueue=running.enqueue, on_recovered=print, first=first)
    sweeping = asyncio.create_task(sweep.run())

    async def swept() -> bool:
        return len(passes) > 5

    await until(swept)
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)
    assert await rows(database, "executors") == outage


async def test_a_fenced_process_stops_its_work_and_outlives_a_reply_that_is_only_in_memory(database, monkeypatch):
    """``combine.execution.kept_replies`` keeps it on disk if it can; else the process must not end before."""

    class Replies:
        unsaved = True

        async def take_in(self) -> None: ...

        def any_unsaved(self) -> bool:
            return self.unsaved

    replies, ended, stopped, begun = Replies(), threading.Event(), asyncio.Event(), asyncio.Event()

    async def runner(_):
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.set()
            raise

    monkeypatch.setattr(engine_module, "exit_fenced", ended.set)
    async with engine_on(database, runner, replies=replies) as running:
        await enqueue(database, running, uuid4())
        await asyncio.wait_for(begun.wait(), 20)
        fence = threading.Thread(target=running._end_fenced)
        fence.start()
        await asyncio.wait_for(stopped.wait(), 20)
        assert not ended.is_set()
        replies.unsaved = False
        assert await asyncio.to_thread(ended.wait, 20)
        fence.join()


async def test_the_first_start_works_where_transactions_are_serializable_by_default(database):
    """DBOS builds indexes concurrently; a snapshot that is held for longer than its statement would block it."""
    async with database.engine.connect() as connection:
        name = (await connection.execute(sa.text("SELECT current_database()"))).scalar_one()
        await connection.execute(sa.text(f"ALTER DATABASE {name} SET default_transaction_isolation = serializable"))
    fresh = Database(database.url)
    async with asyncio.timeout(30), engine_on(fresh, idle):
        pass
    await fresh.close()

"""A ``Statement`` behaves as SQLAlchemy Core does on the same connection, and sends what it is given."""

import asyncio
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from cut_line import Cut, cut_line
from wire import watched

from combine.errors import DatabaseUnavailable
from combine.storage.core.database import Database
from combine.storage.core.statements import Statement

PID = Statement("SELECT pg_backend_pid() AS pid")
INSERT = "INSERT INTO projects (id, name) VALUES (gen_random_uuid(), cast(:name AS text))"


async def core(connection, sql, **values):
    return (await connection.execute(sa.text(sql), values)).rowcount


async def statement(connection, sql, **values):
    return await Statement(sql).run(connection, **values)


both = pytest.mark.parametrize("run", [core, statement])


async def _names(database):
    async with database.read() as session:
        return {row.name for row in await Statement("SELECT name FROM projects").rows(session.connection)}


async def _kill(database_url, pid):
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


FAULTS = {
    "unique": "INSERT INTO projects SELECT gen_random_uuid(), cast(:name AS text) FROM generate_series(1, 2)",
    "division": "SELECT 1 / 0, cast(:name AS text)",
    "no such table": "SELECT cast(:name AS text) FROM nowhere",
    "not null": "INSERT INTO projects (name) VALUES (cast(:name AS text))",
    "no type": "SELECT :name + 1",
}


@pytest.mark.parametrize("sql", FAULTS.values(), ids=FAULTS)
async def test_errors_are_those_of_core(database, sql):
    seen = []
    for run in (core, statement):
        with pytest.raises(sa.exc.DBAPIError) as caught:
            await database.transact(lambda session, run=run: run(session.connection, sql, name="a secret"))
        error = caught.value
        assert "[SQL: " in str(error)
        assert "[parameters: " not in str(error)
        seen.append((type(error), error.orig.sqlstate, error.connection_invalidated))
    assert seen[0] == seen[1]


@both
@pytest.mark.parametrize("state", ["40001", "40P01", "53300", "57P03", "08006", "26000", "42P05"])
async def test_states_that_pass_are_tried_again(database, run, state):
    tries = []

    async def work(session):
        tries.append(1)
        if len(tries) < 3:
            await run(session.connection, f"DO $$ BEGIN RAISE EXCEPTION 'passing' USING ERRCODE = '{state}'; END $$")

    await database.transact(work)
    assert len(tries) == 3


@both
async def test_a_connection_lost_inside_a_transaction_runs_it_again(database, database_url, run):
    pids = []

    async def work(session):
        pids.append((await PID.one(session.connection)).pid)
        await run(session.connection, INSERT, name="kept")
        if len(pids) == 1:
            await _kill(database_url, pids[0])
        await run(session.connection, INSERT, name="too")

    await database.transact(work)
    assert len(set(pids)) == 2
    assert await _names(database) == {"kept", "too"}


@both
async def test_connections_that_died_in_the_pool_cost_one_more_try(database, database_url, run):
    async def pid(session):
        return (await PID.one(session.connection)).pid

    at_once = asyncio.Barrier(3)

    async def together(session):
        await at_once.wait()
        return await pid(session)

    for dead in await asyncio.gather(*(database.once(together) for _ in range(3))):
        await _kill(database_url, dead)
    tries = []

    async def work(session):
        tries.append(1)
        await run(session.connection, INSERT, name="once")

    await database.once(work)
    assert len(tries) == 2  # the first loss is known to be that of all
    assert await _names(database) == {"once"}


@both
async def test_a_commit_without_an_answer_is_run_again(database_url, run):
    async with cut_line(database_url) as line:
        database, tries = Database(line.url), []

        async def work(session):
            tries.append(1)
            await run(session.connection, INSERT, name=f"try {len(tries)}")

        line.cuts.append(Cut.BEFORE)
        await database.transact(work)
        assert await _names(database) == {"try 2"}
        await database.close()


@both
async def test_a_savepoint_undoes_what_came_after_it(database, run):
    async def twice_the_same(session):
        async with session.connection.begin_nested():
            await run(session.connection, INSERT, name="inside")
            await run(session.connection, INSERT, name="before")

    async def work(session):
        await run(session.connection, INSERT, name="before")
        with pytest.raises(sa.exc.IntegrityError):
            await twice_the_same(session)
        await run(session.connection, INSERT, name="after")

    await database.transact(work)
    assert await _names(database) == {"before", "after"}


@both
@pytest.mark.parametrize("way", ["transact", "once"])
async def test_a_cancelled_statement_gives_up_its_connection(database, run, way):
    pids = []

    async def work(session):
        pids.append((await PID.one(session.connection)).pid)
        if way == "transact":
            await run(session.connection, INSERT, name="never")
        await run(session.connection, "SELECT pg_sleep(30)")

    task = asyncio.create_task(getattr(database, way)(work))
    while not pids:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert database.connections()["in_use"] == 0
    assert (await database.once(lambda session: PID.one(session.connection))).pid != pids[0]
    assert await _names(database) == set()


@both
async def test_a_read_refuses_to_write(database, run):
    with pytest.raises(sa.exc.InternalError, match="read-only transaction"):
        async with database.read() as session:
            await run(session.connection, INSERT, name="never")
    await database.once(lambda session: run(session.connection, INSERT, name="after"))
    assert await _names(database) == {"after"}


async def test_a_mistake_of_the_program_stays_what_it_is(database):
    with pytest.raises(KeyError, match="name"):
        await database.once(lambda session: Statement(INSERT).run(session.connection))
    with pytest.raises(sa.exc.ProgrammingError, match="cannot adapt"):
        await database.once(lambda session: Statement(INSERT).run(session.connection, name=object()))


VALUES = {
    "text": "uuid\u00e9 'quoted' :not_a_name %s %(x)s $1",
    "whole": 2**40,
    "small": 1,
    "no": False,
    "usd": Decimal("0.000001"),
    "id": uuid4(),
    "ids": [uuid4(), uuid4()],
    "names": ["a", "b,c"],
    "bytes": b"\x00\xff",
    "json": {"z": 1, "a": ["\u00fc", None, {"n": 1.5}]},
    "nothing": None,
}


async def test_values_come_back_as_they_were(database):
    sql = """
    SELECT cast(:text AS text) AS text, :whole AS whole, :small AS small,  -- a comment: 'with a quote, and :no_name
      :no AS no, :usd AS usd, :id AS id, :ids AS ids, cast(:names AS text[]) AS names, :bytes AS bytes, :json AS json,
      cast(:nothing AS text) AS nothing, :text::text AS again
    """

    async def work(session):
        return await Statement(sql).one(session.connection, **VALUES)

    row = (await database.once(work))._asdict()
    assert row.pop("again") == VALUES["text"]
    assert row == VALUES


async def test_an_empty_list_is_an_array_of_what_the_column_holds(database):
    async def work(session):
        await Statement("CREATE TEMP TABLE listed (ids uuid[], names text[])").run(session.connection)
        insert = Statement("INSERT INTO listed SELECT :ids, :names FROM (SELECT 1) AS one")
        await insert.run(session.connection, ids=[], names=[])
        return await Statement("SELECT ids, names FROM listed").one(session.connection)

    assert await database.transact(work) == ([], [])


async def test_a_statement_is_prepared_once_for_numbers_of_any_size(database):
    prepared = Statement("SELECT count(*) AS count FROM pg_prepared_statements WHERE statement LIKE '%sized%'")

    async def work(session):
        for size in (0, 1, 2**15, 2**31, 2**33, -1):
            await Statement("SELECT :size AS sized").one(session.connection, size=size)
        return (await prepared.one(session.connection)).count

    assert await database.once(work) == 2  # this one and the question


@both
@pytest.mark.parametrize("way", ["transact", "once"])
async def test_prepared_statements_that_are_gone_are_made_again(database_url, run, way):
    database, tries = Database(database_url, pool_size=1), []
    for n in range(7):  # Core is prepared from the sixth on
        await database.once(lambda session, n=n: run(session.connection, INSERT, name=f"before {n}"))
    await database.once(lambda session: core(session.connection, "DEALLOCATE ALL"))

    async def work(session):
        tries.append(1)
        await run(session.connection, INSERT, name="after")

    await getattr(database, way)(work)
    assert tries in ([1], [1, 1])
    assert "after" in await _names(database)
    await database.close()


async def test_behind_a_pooler_that_loses_prepared_statements_none_are_made(database_url):
    database = Database(database_url, pool_size=1)
    insert = Statement(INSERT)
    await database.once(lambda session: insert.run(session.connection, name="prepared"))
    await _forget_prepared(database)
    for n in range(7):
        await database.once(lambda session, n=n: insert.run(session.connection, name=f"p{n}"))
    sent = []
    with watched(lambda one: sent.append(one.text)):
        assert await _prepared(database) == 0
        assert len(await _names(database)) == 8
    assert any(text.startswith("BEGIN") for text in sent)
    await database.close()


async def _forget_prepared(database):
    """As a pooler does that gives the next transaction to another server process."""

    async def work(session):
        driver = session.connection.sync_connection.connection.driver_connection
        driver.pgconn.exec_(b"DEALLOCATE ALL")

    await database.once(work)


async def _prepared(database):
    async def work(session):
        sql = "SELECT count(*) FROM pg_prepared_statements"
        return (await session.connection.execute(sa.text(sql))).scalar_one()

    return await database.once(work)


@pytest.mark.parametrize("way", ["transact", "once"])
async def test_a_migration_that_changes_a_column_is_not_noticed(database, way):
    await database.once(lambda session: core(session.connection, "CREATE TABLE counted (n integer)"))
    await database.once(lambda session: core(session.connection, "INSERT INTO counted VALUES (1)"))
    select = Statement("SELECT n FROM counted")

    async def work(session):
        return (await select.one(session.connection)).n

    assert await database.once(work) == 1
    async with await psycopg.AsyncConnection.connect(database.url.replace("+psycopg", "")) as other:
        await other.execute("ALTER TABLE counted ADD COLUMN m text, ALTER COLUMN n TYPE text")
    assert await getattr(database, way)(work) == "1"
    assert await _prepared(database) > 0


async def test_a_restart_of_the_server_is_not_noticed(server):
    database = Database(server.url)
    await database.once(lambda session: statement(session.connection, INSERT, name="before"))
    await asyncio.to_thread(server.crash)
    await asyncio.to_thread(server.start)
    await database.once(lambda session: statement(session.connection, INSERT, name="after"))
    assert await _names(database) == {"before", "after"}
    await database.close()


async def test_a_connection_lost_inside_a_read_says_so(database, database_url):
    async def read():
        async with database.read() as session:
            await _kill(database_url, (await PID.one(session.connection)).pid)
            await PID.one(session.connection)

    with pytest.raises(DatabaseUnavailable):
        await read()
    assert database.connections()["in_use"] == 0


async def test_reading_keeps_what_is_prepared(database_url):
    database = Database(database_url, pool_size=1)
    for _ in range(3):
        assert await _names(database) == set()
    assert await _prepared(database) == 2  # BEGIN and the query
    await database.close()


@both
@pytest.mark.parametrize("way", ["transact", "once"])
async def test_the_pool_gets_every_connection_back_however_work_is_cancelled(database_url, run, way):
    database = Database(database_url, pool_size=3)

    async def work(session):
        await run(session.connection, "SELECT cast(:name AS text)", name="any")
        return (await PID.one(session.connection)).pid

    for turns in range(60):
        tasks = [asyncio.create_task(getattr(database, way)(work)) for _ in range(6)]
        for _ in range(turns):  # cancel them at every point of their way
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    pids = await asyncio.gather(*(getattr(database, way)(work) for _ in range(30)))
    assert 1 <= len(set(pids)) <= 3
    assert database.connections()["in_use"] == 0
    await database.close()

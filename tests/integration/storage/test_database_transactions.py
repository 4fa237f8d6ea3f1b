import asyncio
import socket
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa
from cut_line import Cut, cut_line

from combine.errors import DatabaseUnavailable, Unavailable
from combine.storage.core.database import Database, Trace
from combine.storage.core.faults import mark_disconnects
from combine.storage.core.tables import projects

BRIEFLY = timedelta(seconds=0.3)


async def _kill_backend(database_url, pid):
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


async def _backend_pid(session):
    return (await session.connection.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()


async def _insert_project(session, name):
    await session.connection.execute(
        sa.text("INSERT INTO projects (id, name) VALUES (gen_random_uuid(), :name)"), {"name": name}
    )


async def _project_names(database):
    async with database.read() as session:
        return set((await session.connection.execute(sa.text("SELECT name FROM projects"))).scalars())


async def test_a_connection_killed_inside_a_transaction_runs_it_again(database, database_url):
    tries = []

    async def work(session):
        tries.append(await _backend_pid(session))
        await _insert_project(session, "kept")
        if len(tries) == 1:
            await _kill_backend(database_url, tries[0])
        await _insert_project(session, "too")

    await database.transact(work)
    assert len(set(tries)) == 2
    assert await _project_names(database) == {"kept", "too"}


@pytest.mark.parametrize(("cut", "runs"), [(Cut.BEFORE, 2), (Cut.AFTER, 1)])
async def test_a_commit_that_gave_no_answer_is_looked_up_by_its_number(database_url, cut, runs):
    async with cut_line(database_url) as line:
        database, tries = Database(line.url), []

        async def work(session):
            tries.append(1)
            await _insert_project(session, f"try {len(tries)}")
            session.trace = await _trace(session, f"try {len(tries)}")
            return len(tries)

        line.cuts.append(cut)
        assert await database.transact(work) == runs
        assert await _project_names(database) == {f"try {runs}"}
        await database.close()


async def test_nothing_runs_again_beside_a_commit_that_is_still_under_way(database, database_url):
    async with cut_line(database_url) as line, database.engine.begin() as other:
        await other.exec_driver_sql("BEGIN")
        hasty, number, tries = Database(line.url, patience=BRIEFLY), await _transaction_id(other), []

        async def work(session):
            tries.append(1)
            await _insert_project(session, "once")
            session.trace = replace(await _trace(session, "once"), transaction_id=number)

        line.cuts.append(Cut.AFTER)
        with pytest.raises(DatabaseUnavailable, match="still in progress"):
            await hasty.transact(work)
        assert tries == [1]
        await hasty.close()


async def _trace(session, name):
    row = sa.select(projects.c.id).where(projects.c.name == name)
    return Trace(await _transaction_id(session.connection), row)


async def _transaction_id(connection):
    return (await connection.execute(sa.text("SELECT cast(pg_current_xact_id() AS text)"))).scalar_one()


async def test_a_connection_that_died_in_the_pool_is_replaced_before_a_read(database, database_url):
    async with database.read() as session:
        pid = await _backend_pid(session)
    await _kill_backend(database_url, pid)
    async with database.read() as session:
        assert await _backend_pid(session) != pid


async def test_a_connection_lost_inside_a_read_says_so(database, database_url):
    async def read():
        async with database.read() as session:
            await _kill_backend(database_url, await _backend_pid(session))
            await _backend_pid(session)

    with pytest.raises(DatabaseUnavailable):
        await read()


async def test_a_connection_lost_after_the_last_statement_of_a_read_says_so(database, database_url):
    async def read():
        async with database.read() as session:
            await _kill_backend(database_url, await _backend_pid(session))

    with pytest.raises(DatabaseUnavailable):
        await read()
    assert database.connections()["in_use"] == 0
    assert await _project_names(database) == set()


async def test_a_read_cannot_write(database):
    with pytest.raises(sa.exc.InternalError, match="read-only transaction"):
        async with database.read() as session:
            await _insert_project(session, "never")
    await database.transact(lambda session: _insert_project(session, "after"))
    assert await _project_names(database) == {"after"}


async def test_an_error_of_the_work_rolls_back_and_is_not_tried_again(database):
    tries = []

    async def work(session):
        tries.append(1)
        await _insert_project(session, "never")
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await database.transact(work)
    assert tries == [1]
    assert await _project_names(database) == set()


async def test_transactions_read_committed(database):
    async def work(session):
        return (await session.connection.execute(sa.text("SHOW transaction_isolation"))).scalar_one()

    assert await database.transact(work) == "read committed"


@pytest.mark.parametrize("state", ["40001", "40P01", "53300", "57P03", "08006"])
async def test_states_that_pass_are_tried_again(database, state):
    tries = []

    async def work(session):
        tries.append(1)
        if len(tries) < 3:
            await session.connection.execute(
                sa.text(f"DO $$ BEGIN RAISE EXCEPTION 'passing' USING ERRCODE = '{state}'; END $$")
            )

    await database.transact(work)
    assert len(tries) == 3


async def test_a_full_disk_is_not_waited_for(database):
    async def work(session):
        await session.connection.execute(
            sa.text("DO $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$")
        )

    with pytest.raises(Unavailable) as caught:
        await database.transact(work, give_up_after=None)
    assert caught.value.code == "database_disk_full"
    assert "Free space" in caught.value.hint


async def test_an_outage_is_waited_for(server):
    database = Database(server.url)
    await database.transact(lambda session: _insert_project(session, "before"))
    server.crash()
    during = asyncio.create_task(
        database.transact(lambda session: _insert_project(session, "during"), give_up_after=None)
    )
    with pytest.raises(DatabaseUnavailable):
        await database.transact(lambda session: _insert_project(session, "lost"), give_up_after=BRIEFLY)
    assert not during.done()
    server.start()
    await during
    assert await _project_names(database) == {"before", "during"}
    await database.close()


async def test_a_crash_inside_a_transaction_is_waited_for(server):
    database = Database(server.url)
    tries = []

    async def work(session):
        tries.append(1)
        await _insert_project(session, "once")
        if len(tries) == 1:
            await asyncio.to_thread(server.crash)
            await asyncio.to_thread(server.start)

    await database.transact(work)
    assert len(tries) == 2
    assert await _project_names(database) == {"once"}
    await database.close()


async def _let_unfinished_work_stay_in_memory(server):
    """Otherwise it writes out every 0.2 s what open transactions have done, and their numbers with it."""
    async with await psycopg.AsyncConnection.connect(server.url, autocommit=True) as connection:
        await connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
    await asyncio.to_thread(server.crash)  # reloading would leave open when the process that writes hears of it
    await asyncio.to_thread(server.start)


@pytest.mark.parametrize("given_anew", [False, True])
async def test_a_crash_that_swallows_a_number_swallows_no_change(server, given_anew):
    await _let_unfinished_work_stay_in_memory(server)
    database, tries, taken = Database(server.url), [], []

    async def work(session):
        await _insert_project(session, "once")
        session.trace = await _trace(session, "once")
        tries.append(session.trace.transaction_id)
        if len(tries) == 1:
            await asyncio.to_thread(server.crash)
            await asyncio.to_thread(server.start)
            if given_anew:
                await database.transact(take_it)
        return len(tries)

    async def take_it(session):
        await _insert_project(session, "other")
        taken.append(await _transaction_id(session.connection))

    assert await database.transact(work) == 2
    assert taken == tries[: len(taken)]
    assert await _project_names(database) == {"once"} | ({"other"} if given_anew else set())
    await database.close()


@pytest.mark.parametrize(
    "place", ["nobody:s3cret@127.0.0.1:1/combine", "nobody:s3cret@/combine?host=/nowhere&password=s3cret"]
)
async def test_a_database_that_is_not_there_is_named_without_its_password(place):
    database = Database(f"postgresql://{place}")
    with pytest.raises(DatabaseUnavailable) as pinged:
        await database.ping()
    with pytest.raises(DatabaseUnavailable) as waited:
        await database.transact(lambda session: _insert_project(session, "never"), give_up_after=BRIEFLY)
    for error in (pinged.value, waited.value):
        assert "/combine cannot be reached" in error.message
        assert "s3cret" not in error.message
    await database.close()


async def test_a_host_that_takes_connections_and_says_nothing_is_given_up():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        database = Database(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none", patience=BRIEFLY)
        async with asyncio.timeout(4.5):  # libpq's usual five seconds would be too long for who waits for a page
            with pytest.raises(DatabaseUnavailable):
                await database.once(lambda session: _insert_project(session, "never"))
        await database.close()


async def test_times_are_read_in_utc_wherever_the_server_stands(database_url):
    name = sa.make_url(database_url).database
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET timezone TO 'Asia/Tokyo'")
    database = Database(database_url)
    async with database.read() as session:
        found = await session.connection.execute(sa.text("SELECT now() AS at, to_json(now()) #>> '{}' AS text"))
        row = found.one()
    assert row.at.utcoffset() == timedelta(0)
    assert row.text.endswith("+00:00")
    await database.close()


async def test_a_busy_pool_is_waited_for(database_url):
    database = Database(database_url, pool_size=1)
    await asyncio.gather(
        *(database.transact(lambda session, n=n: _insert_project(session, f"p{n}")) for n in range(10))
    )
    assert len(await _project_names(database)) == 10
    await database.close()


async def test_a_cancelled_transaction_leaves_nothing_behind(database):
    begun = asyncio.Event()

    async def work(session):
        await _insert_project(session, "never")
        begun.set()
        await session.connection.execute(sa.text("SELECT pg_sleep(30)"))

    task = asyncio.create_task(database.transact(work))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await _project_names(database) == set()


def test_failures_to_connect_of_other_engines_count_as_lost_connections():
    engine = sa.create_engine("postgresql+psycopg://nobody@/none?host=/nowhere", poolclass=sa.NullPool)
    mark_disconnects(engine)
    mark_disconnects(engine)
    with pytest.raises(sa.exc.OperationalError) as caught, engine.connect():
        pass
    assert caught.value.connection_invalidated

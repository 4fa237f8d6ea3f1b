import asyncio
import sys

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from combine.errors import DatabaseUnavailable, Unavailable
from combine.storage.core.tables import metadata
from combine.storage.core.urls import normalise_url
from combine.storage.server.migrate import alembic_config, current_version, head_version, upgrade


@pytest.fixture
def engine(database_url):
    made = sa.create_engine(normalise_url(database_url), poolclass=sa.NullPool)
    yield made
    made.dispose()


@pytest.fixture
def empty_url(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return database_url


def test_the_head_we_name_is_the_head_there_is(engine):
    with engine.connect() as connection:
        assert ScriptDirectory.from_config(alembic_config(connection)).get_current_head() == head_version()


def test_tables_and_migrations_agree(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": metadata}
        )
        assert compare_metadata(context, metadata) == []


def test_up_down_up(engine):
    def tables():
        return set(sa.inspect(engine).get_table_names()) - {"alembic_version"}

    made = tables()
    assert made == set(metadata.tables)
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
    assert tables() == set()
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "head")
    assert tables() == made


def test_names_of_projects_are_brought_into_one_form(engine):
    names = {1: "Cafe\u0301", 2: "Ma\u0308rz", 3: "M\u00e4rz", 4: "Plain"}
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0004")
        for number, name in names.items():
            row = {"id": f"00000000-0000-0000-0000-00000000000{number}", "name": name}
            connection.execute(sa.text("INSERT INTO projects (id, name) VALUES (:id, :name)"), row)
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "head")
        found = connection.execute(sa.text("SELECT name FROM projects ORDER BY id")).scalars().all()
    assert found == ["Caf\u00e9", "Ma\u0308rz", "M\u00e4rz", "Plain"]  # the second form of a name that is taken stays


async def test_an_empty_database_is_upgraded_once(empty_url):
    assert await current_version(empty_url) is None
    assert await upgrade(empty_url) is True
    assert await current_version(empty_url) == head_version()
    assert await upgrade(empty_url) is False


async def test_processes_that_start_together_migrate_once(empty_url):
    program = (
        "import asyncio, sys; from combine.storage.server.migrate import upgrade; "
        "print(asyncio.run(upgrade(sys.argv[1])))"
    )
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-c", program, empty_url, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [(await process.communicate())[0].decode().strip() for process in processes]
    assert sorted(said) == ["False", "True"]
    assert [process.returncode for process in processes] == [0, 0]


async def test_a_database_that_is_up_to_date_costs_no_alembic(database_url):
    program = (
        "import asyncio, sys; from combine.storage.server.migrate import upgrade; "
        "asyncio.run(upgrade(sys.argv[1])); assert 'alembic' not in sys.modules"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, database_url)
    assert await process.wait() == 0


async def test_a_database_of_a_newer_program_that_ours_can_use_is_left_as_it_is(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert await upgrade(database_url) is False
    assert await current_version(database_url) == "9999"


async def test_a_database_of_a_newer_program_that_ours_cannot_use_is_refused(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE compatibility SET oldest_revision = '9998'")
    with pytest.raises(Unavailable, match="schema version 9999") as caught:
        await upgrade(database_url)
    assert caught.value.code == "database_newer"


async def test_a_database_that_is_not_there_is_named():
    with pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1:1/combine cannot be reached"):
        await upgrade("postgresql://ann:s3cret@127.0.0.1:1/combine")

"""Reading several tables while others write to them."""

import pytest
import sqlalchemy as sa

from combine.storage.core.database import Database
from combine.storage.projects import Projects

COUNT = sa.text("SELECT count(*) FROM projects")
ISOLATION = sa.text("SHOW transaction_isolation")


@pytest.fixture
async def narrow(database_url):
    """One connection, so that each transaction follows the one before on it."""
    opened = Database(database_url, pool_size=1)
    yield opened
    await opened.close()


async def count(session):
    return (await session.connection.execute(COUNT)).scalar_one()


async def test_all_statements_see_the_same_moment(narrow, stored):
    async with narrow.read(one_moment=True) as session:
        before = await count(session)
        await stored.write(Projects, "insert", stored.brief_id, "another")
        assert await count(session) == before
    async with narrow.read() as session:
        assert await count(session) == before + 1


async def test_nothing_can_be_written(narrow):
    with pytest.raises(sa.exc.DBAPIError, match="read-only"):
        async with narrow.read(one_moment=True) as session:
            await session.connection.execute(sa.text("DELETE FROM projects"))


async def test_the_next_transaction_on_the_connection_is_as_ever(narrow):
    async def isolation(session):
        return (await session.connection.execute(ISOLATION)).scalar_one()

    async with narrow.read(one_moment=True) as session:
        assert await isolation(session) == "repeatable read"
    async with narrow.read() as session:
        assert await isolation(session) == "read committed"
    assert await narrow.transact(isolation) == "read committed"

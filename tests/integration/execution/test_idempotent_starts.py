"""A start with a key: once, however often and by however many at once it is asked for."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import bakery
import pytest
import sqlalchemy as sa
from house import House
from town import Town

from combine.auth.permissions import Scope
from combine.errors import Conflict, NotFound, NotPermitted
from combine.services.executions import StartExecution
from combine.storage.database import Database
from combine.workflows.brief import split_brief


@pytest.fixture
async def ada(database):
    return await Town(database).person("ada")


@pytest.fixture
async def command(database, ada):
    project_id = await Town(database).project(members={ada: "editor"})
    return StartExecution(split_brief(bakery.BRIEF), "strategy-document", project_id, "scripted")


@pytest.fixture
def service(house, ada):
    house.actor = ada
    return house.service


async def _keys(database):
    async with database.read() as session:
        rows = await session.connection.execute(sa.text("SELECT key FROM idempotency_keys"))
        return sorted(rows.scalars())


async def test_fifty_at_once_start_one(database_url, catalog, service, command, ada):
    narrow = Database(database_url, pool_size=5, pool_timeout=timedelta(seconds=30))
    house = House(narrow, catalog, actor=ada)
    started = await asyncio.gather(*(house.service.start_once(command, "key") for _ in range(50)))
    assert len({one.execution_id for one in started}) == 1
    assert sorted(one.replayed for one in started) == [False] + [True] * 49
    assert len(house.queue) == 1
    await narrow.close()


async def test_a_key_stands_for_one_request_of_one_user(database, house, service, command):
    first = await service.start_once(command, "key")
    with pytest.raises(Conflict) as caught:
        await service.start_once(replace(command, model="offline"), "key")
    assert caught.value.code == "idempotency_key_reused"
    town = Town(database)
    house.actor = bea = await town.person("bea")
    await town.join(command.project, bea, "editor")
    assert (await house.service.start_once(command, "key")).execution_id != first.execution_id


async def test_a_start_that_is_refused_leaves_its_key_free(database, house, service, command):
    town = Town(database)
    house.actor = bea = await town.person("bea")
    await town.join(command.project, bea, "viewer")
    with pytest.raises(NotPermitted):
        await house.service.start_once(command, "key")
    await town.join(command.project, bea, "editor")
    assert not (await house.service.start_once(command, "key")).replayed


async def test_who_may_not_start_any_more_is_not_told_of_the_first_one(database, house, service, command, ada):
    await service.start_once(command, "key")
    house.actor = replace(ada, scope=Scope.READ)
    with pytest.raises(NotPermitted):
        await house.service.start_once(command, "key")
    house.actor = ada
    await Town(database).run("DELETE FROM project_members")
    with pytest.raises(NotFound):
        await house.service.start_once(command, "key")


async def test_keys_count_for_a_day_and_do_not_stay(database, service, command):
    first = await service.start_once(command, "key")
    for number in range(3):
        await service.start_once(command, f"{number} {uuid4()}")
    await Town(database).run("UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'")
    again = await service.start_once(command, "key")
    assert not again.replayed
    assert again.execution_id != first.execution_id
    assert await _keys(database) == ["key"]

import asyncio
from uuid import uuid4

import psycopg
import pytest

from combine.errors import NotFound
from combine.storage.core.listener import EventListener
from combine.storage.events import Events


async def until_connected(listener):
    async with asyncio.timeout(20):
        while not listener.is_connected:
            await asyncio.sleep(0.01)


@pytest.fixture
async def listener(database_url):
    made = EventListener(database_url)
    await made.start()
    await until_connected(made)
    yield made
    await made.close()


async def test_events_come_back_in_order_from_where_one_stopped(stored):
    for number in range(1, 6):
        data = {"n": number}
        assert await stored.write(Events, "append", stored.execution_id, "tick", "discovery", data) == number
    rows = await stored.read(Events, "after", stored.execution_id, 2, limit=2)
    assert [(row.seq, row.kind, row.step_id, row.data) for row in rows] == [
        (3, "tick", "discovery", {"n": 3}),
        (4, "tick", "discovery", {"n": 4}),
    ]
    with pytest.raises(NotFound):
        await stored.write(Events, "append", uuid4(), "tick")


async def test_readers_never_see_a_gap_while_many_write(stored):
    total, seen = 120, []

    async def write():
        for _ in range(total // 8):
            await stored.write(Events, "append", stored.execution_id, "tick")

    async def read():
        while len(seen) < total:
            last = seen[-1] if seen else 0
            seen.extend(row.seq for row in await stored.read(Events, "after", stored.execution_id, last, limit=7))

    await asyncio.gather(read(), *(write() for _ in range(8)))
    assert seen == list(range(1, total + 1))


async def test_an_event_that_is_rolled_back_leaves_no_gap(stored):
    async def work(session):
        await Events(session).append(stored.execution_id, "never")
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await stored.database.transact(work)
    assert await stored.write(Events, "append", stored.execution_id, "tick") == 1


async def test_a_waiter_is_woken_by_its_own_execution_only(stored, listener):
    other = await stored.another_execution()
    with listener.subscribe(stored.execution_id) as mine, listener.subscribe(other) as others:
        await stored.write(Events, "append", stored.execution_id, "tick")
        assert await mine.wait(10) is True
        assert await mine.wait(0.05) is False
        assert await others.wait(0.05) is False


async def test_an_event_between_two_waits_ends_the_next_one(stored, listener):
    with listener.subscribe(stored.execution_id) as subscription:
        for _ in range(3):
            await stored.write(Events, "append", stored.execution_id, "tick")
            assert await subscription.wait(10) is True


async def test_many_followers_see_everything(stored, listener):
    total = 60

    async def follow():
        seen = 0
        with listener.subscribe(stored.execution_id) as subscription:
            while seen < total:
                for row in await stored.read(Events, "after", stored.execution_id, seen):
                    assert row.seq == seen + 1
                    seen = row.seq
                if seen < total:
                    assert await subscription.wait(30)

    async def write():
        for _ in range(total // 4):
            await stored.write(Events, "append", stored.execution_id, "tick")

    await asyncio.gather(*(follow() for _ in range(20)), *(write() for _ in range(4)))


async def _kill_listeners(database_url):
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as other:
        cursor = await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'combine-listener' AND datname = current_database()"
        )
        assert len(await cursor.fetchall()) == 1


async def test_everybody_is_woken_after_a_reconnect_and_events_flow_again(stored, listener, database_url):
    with listener.subscribe(stored.execution_id) as subscription:
        await _kill_listeners(database_url)
        assert await subscription.wait(10) is True
        await stored.write(Events, "append", stored.execution_id, "tick")
        assert await subscription.wait(10) is True


async def test_the_listener_survives_a_database_that_is_away(server):
    listener = EventListener(server.url)
    await listener.start()
    await until_connected(listener)
    with listener.subscribe(uuid4()) as subscription:
        server.crash()
        assert await subscription.wait(0.5) is False
        await asyncio.to_thread(server.start)
        assert await subscription.wait(20) is True
    await listener.close()


async def test_a_listener_can_be_started_before_there_is_a_database():
    listener = EventListener("postgresql://nobody@/none?host=/nowhere")
    await listener.start()
    with listener.subscribe(uuid4()) as subscription:
        assert await subscription.wait(0.05) is False
        await listener.close()
        assert await subscription.wait(0.05) is True


async def test_a_subscription_that_ended_is_forgotten():
    listener, execution_id = EventListener("postgresql://nobody@/none?host=/nowhere"), uuid4()
    with listener.subscribe(execution_id), listener.subscribe(execution_id):
        (waiters,) = listener._waiting.values()
        assert len(waiters) == 2
    assert not listener._waiting

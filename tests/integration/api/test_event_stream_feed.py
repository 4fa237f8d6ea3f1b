"""The event feed, without HTTP."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from api_house import HandMoved, connections, until
from wire import watched

from combine.errors import NotFound, Unavailable
from combine.services.event_feed import COALESCE_S, EventFeed
from combine.storage.core.database import Database
from combine.storage.core.listener import EventListener


async def everything(feed, execution_id, after=0):
    """(numbers, final status), read to the end."""
    async with feed.follow(execution_id, after) as events:
        return [event.seq async for event in events], events.ended_as


@pytest.mark.parametrize("after", [0, 3, 5, 6, 7, 1000])
async def test_from_any_number_without_gap_or_repeat(feed, moved, after):
    execution_id = await moved.new()
    await moved.event(execution_id, times=5)
    reading = asyncio.create_task(everything(feed, execution_id, min(after, 5) if after < 1000 else 5))
    await moved.event(execution_id)
    await moved.status(execution_id, "completed")
    numbers, ended_as = await reading
    assert numbers == list(range(min(after, 5) + 1, 8))
    assert ended_as == "completed"
    assert await everything(feed, execution_id, after) == (list(range(after + 1, 8)), "completed")


async def test_nothing_is_left_of_an_ended_execution_that_was_read(feed, moved):
    execution_id = await moved.new()
    await moved.status(execution_id, "cancelled")
    async with feed.follow(execution_id, 1) as events:
        assert events.nothing_left
    async with feed.follow(execution_id, 0) as events:
        assert not events.nothing_left
        assert [event.kind for event in await events.take()] == ["execution_cancelled"]
        assert events.nothing_left
    assert (feed.readers, feed.executions) == (0, 0)


async def test_an_execution_that_rests_is_still_followed(feed, moved):
    execution_id = await moved.new()
    await moved.status(execution_id, "waiting_for_answers")
    async with feed.follow(execution_id) as events:
        assert [event.seq for event in await events.take()] == [1]
        waits = asyncio.create_task(events.take())
        await moved.event(execution_id, "answered")
        assert [event.kind for event in await waits] == ["answered"]


async def test_a_failed_execution_that_was_resumed_goes_on(feed, moved):
    execution_id = await moved.new()
    await moved.status(execution_id, "failed")
    assert await everything(feed, execution_id) == ([1], "failed")
    async with feed.follow(execution_id, 1) as early:
        await moved.event(execution_id, "resumed")
        await moved.status(execution_id, "queued")
        reading = asyncio.create_task(everything(feed, execution_id))
        await until(lambda: feed.readers == 2)
        await moved.status(execution_id, "completed")
        assert await reading == ([1, 2, 3, 4], "completed")
        assert [event.seq async for event in early] == [2, 3, 4]


async def test_a_reader_ends_with_the_failure_and_another_continues(feed, moved):
    execution_id = await moved.new()
    await moved.status(execution_id, "running")
    first = asyncio.create_task(everything(feed, execution_id))
    await until(lambda: feed.readers == 1)
    await moved.status(execution_id, "failed")
    assert await first == ([1, 2], "failed")
    await moved.event(execution_id, "resumed")
    await moved.status(execution_id, "queued")
    second = asyncio.create_task(everything(feed, execution_id, 2))
    await moved.status(execution_id, "completed")
    assert await second == ([3, 4, 5], "completed")


async def test_an_unknown_execution_cannot_be_followed(feed):
    with pytest.raises(NotFound):
        async with feed.follow(uuid4()):
            pytest.fail("there is no such execution")
    assert feed.executions == 0


async def test_readers_that_come_and_go_while_many_write_see_everything_once(feed, moved):
    execution_id = await moved.new()
    total = 300

    async def write():
        for _ in range(total // 6):
            await moved.event(execution_id)

    async def read(pause_after):
        seen = []
        while not seen or seen[-1] <= total:
            async with feed.follow(execution_id, len(seen)) as events:
                async for event in events:
                    seen.append(event.seq)
                    if len(seen) % pause_after == 0:
                        break
                else:
                    return seen
        return seen

    reading = [asyncio.create_task(read(7 + n)) for n in range(12)]
    await asyncio.gather(*(write() for _ in range(6)))
    await moved.status(execution_id, "completed")
    for task in reading:
        assert await asyncio.wait_for(task, 30) == list(range(1, total + 2))


async def test_a_long_history_is_read_in_parts(feed, moved):
    execution_id = await moved.new()
    await moved.burst(execution_id, 950)
    reading = asyncio.create_task(everything(feed, execution_id))
    await moved.burst(execution_id, 950)
    await moved.status(execution_id, "completed")
    numbers, _ = await reading
    assert numbers == list(range(1, 1902))


async def test_a_lost_notification_costs_time_and_no_event(database, listener, moved):
    feed = EventFeed(database, listener, sweep_s=0.2)
    await feed.start()
    executions = [await moved.new() for _ in range(3)]
    reading = [asyncio.create_task(everything(feed, one)) for one in executions]
    await until(lambda: feed.readers == 3)
    for one in executions:
        await moved.silently(one)
        await moved.silently(one, "completed")
    assert await asyncio.gather(*reading) == [([1, 2], "completed")] * 3
    await feed.close()


async def test_the_feed_reads_as_soon_as_a_connection_is_free(database_url, listener, moved, caplog):
    briefly = timedelta(seconds=0.1)
    narrow = Database(database_url, pool_size=1, pool_timeout=briefly, patience=briefly)
    feed = EventFeed(narrow, listener, sweep_s=3600)
    await feed.start()
    execution_id = await moved.new()
    async with feed.follow(execution_id) as events:
        async with narrow.read():
            await moved.event(execution_id)
            await until(lambda: "waiting for the database" in caplog.text)
        assert [event.seq for event in await asyncio.wait_for(events.take(), 30)] == [1]
    await feed.close()
    await narrow.close()


async def test_a_reader_that_does_not_keep_up_is_dropped_and_can_come_back(database, listener, moved):
    feed = EventFeed(database, listener, most_waiting=10)
    await feed.start()
    execution_id = await moved.new()
    async with feed.follow(execution_id) as slow, feed.follow(execution_id) as quick:
        for _ in range(4):
            taking = asyncio.create_task(quick.take())
            await moved.burst(execution_id, 5)
            await taking
        assert list(await slow.take()) == []
        assert (slow.dropped, slow.ended_as, feed.dropped) == (True, None, 1)
        assert not quick.dropped
    await moved.status(execution_id, "completed")
    assert await everything(feed, execution_id) == (list(range(1, 22)), "completed")
    await feed.close()


async def test_closing_ends_all_readers_and_admits_no_more(feed, moved):
    execution_id = await moved.new()
    reading = asyncio.create_task(everything(feed, execution_id))
    await until(lambda: feed.readers == 1)
    await feed.close()
    assert await asyncio.wait_for(reading, 5) == ([], None)
    with pytest.raises(Unavailable) as refused:
        async with feed.follow(execution_id):
            pytest.fail("the feed is closed")
    assert refused.value.code == "server_stopping"


async def test_taking_may_be_cancelled_without_losing_anything(feed, moved):
    execution_id = await moved.new()
    writing = asyncio.create_task(moved.event(execution_id, times=100))
    seen = []
    async with feed.follow(execution_id) as events:
        while len(seen) < 100:
            try:
                async with asyncio.timeout(0.003):
                    seen += [event.seq for event in await events.take()]
            except TimeoutError:
                continue
    await writing
    assert seen == list(range(1, 101))


async def test_many_followers_cost_one_query_per_moment_and_one_listener(database, database_url, listener, moved):
    feed = EventFeed(database, listener)
    await feed.start()
    queries = []

    def count(sent):
        if "unnest" in sent.text:
            queries.append(sent.text)

    executions = [await moved.new() for _ in range(10)]
    async with AsyncExitStack() as stack:
        stack.enter_context(watched(count))
        followers = [await stack.enter_async_context(feed.follow(executions[number % 10])) for number in range(300)]
        caught_up, clock = len(queries), asyncio.get_running_loop().time
        began = clock()
        reading = [asyncio.create_task(_count_to(one, 20)) for one in followers]
        for _ in range(20):
            await asyncio.gather(*(moved.event(one) for one in executions))
        await asyncio.gather(*reading)
        moments = (clock() - began) / COALESCE_S
        assert len(queries) - caught_up <= moments + 2  # for 6,000 events that were handed over
        assert (feed.readers, feed.executions) == (300, 10)
        assert connections(database_url, "combine-listener") == 1
    await feed.close()


async def _count_to(events, number):
    seen = 0
    while seen < number:
        seen += len(await events.take())


async def test_the_feed_waits_for_an_unavailable_database_and_continues(server):
    database, listener = Database(server.url), EventListener(server.url)
    await listener.start()
    feed, moved = EventFeed(database, listener), HandMoved(database)
    await feed.start()
    execution_id = await moved.new()
    await moved.event(execution_id)
    reading = asyncio.create_task(everything(feed, execution_id))
    await until(lambda: feed.readers == 1)
    await until(lambda: listener.is_connected)
    await asyncio.to_thread(server.crash)
    await until(lambda: not listener.is_connected)
    assert not reading.done()
    await asyncio.to_thread(server.start)
    with psycopg.connect(
        server.url, autocommit=True
    ) as connection:  # there is no notification, the reconnect itself wakes the feed
        connection.execute("UPDATE executions SET seq = seq + 1 WHERE id = %s", [execution_id])
        connection.execute("INSERT INTO events SELECT %s, 2, now(), 'late'", [execution_id])
    await moved.status(execution_id, "completed")
    assert await asyncio.wait_for(reading, 60) == ([1, 2, 3], "completed")
    await feed.close()
    await listener.close()
    await database.close()

"""Segments begin when they are enqueued, and at the next poll if the notification was lost."""

import asyncio
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from test_engine import engine_on, enqueue, state_of, until

from combine.engine import queue
from combine.engine.engine import Engine
from combine.engine.queue import Adoption, SharedQueue
from combine.engine.recovery import recover
from combine.storage.core.listener import EventListener

HOUR = 3600.0


class Begun:
    """A runner that records which segments have begun."""

    def __init__(self) -> None:
        self.rounds: list[tuple[UUID, int]] = []
        self._changed = asyncio.Event()

    async def __call__(self, segment) -> None:
        self.rounds.append((segment.execution_id, segment.round))
        self._changed.set()

    async def wait(self, execution_id: UUID, round_: int = 1) -> None:
        async with asyncio.timeout(20):
            while (execution_id, round_) not in self.rounds:
                self._changed.clear()
                await self._changed.wait()


async def enqueue_in(database, execution_id: UUID, name: str) -> None:
    await database.transact(lambda session: queue.enqueue(session, execution_id, 1, name))


@pytest.fixture
def begun():
    return Begun()


@pytest.fixture
def execution_id():
    return uuid4()


@pytest.mark.parametrize("shared", [True, False])
async def test_a_segment_begins_when_it_is_enqueued(database, begun, shared):
    async with engine_on(database, begun, shared=shared, poll_s=HOUR) as engine:
        for execution_id in (uuid4(), uuid4()):
            await enqueue(database, engine, execution_id)
            await begun.wait(execution_id)


async def test_a_process_without_an_engine_wakes_the_workers(database, begun, execution_id):
    async with engine_on(database, begun, shared=True, poll_s=HOUR):
        await database.transact(lambda session: SharedQueue().enqueue(session, execution_id, 1))
        await begun.wait(execution_id)


async def test_what_is_enqueued_already_begins_at_the_start(database, begun, execution_id):
    async with engine_on(database, begun, poll_s=HOUR) as engine:
        await enqueue(database, engine, execution_id, shared=True)
    async with engine_on(database, begun, shared=True, poll_s=HOUR):
        await begun.wait(execution_id)


async def test_what_is_adopted_begins_at_once(database, begun, execution_id):
    async with engine_on(database, begun, poll_s=HOUR) as engine:
        await enqueue(database, engine, execution_id, shared=True)
        assert await database.transact(lambda session: engine.adopt(session, execution_id, 1)) is Adoption.ADOPTED
        await begun.wait(execution_id)


async def test_what_a_dead_process_had_queued_begins_when_it_is_returned(database, begun, execution_id):
    async with engine_on(database, begun, shared=True, poll_s=HOUR):
        await enqueue_in(database, execution_id, "cli-long-gone")

        async def returned() -> bool:  # the engine's own pass may be quicker
            await database.transact(recover)
            return (await state_of(database, execution_id)).queue_name == queue.SHARED_QUEUE

        await until(returned)
        await begun.wait(execution_id)


async def test_the_poll_covers_a_lost_notification(database, begun, execution_id):
    deaf = EventListener(database.url)  # never started, like one behind a pooler
    engine = Engine(database, deaf, begun, kind="worker", shared=True, version="test", poll_s=0.3)
    await engine.start()
    try:
        await asyncio.sleep(0.1)
        await enqueue(database, engine, execution_id)
        await begun.wait(execution_id)
    finally:
        await engine.drain()


CUT = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE application_name = 'combine-listener' AND datname = current_database()
"""


async def test_the_queue_is_polled_after_a_reconnect(database, begun, execution_id):
    async with engine_on(database, begun, shared=True, poll_s=HOUR) as engine:
        await enqueue(database, engine, uuid4())
        await until(lambda: asyncio.sleep(0, begun.rounds))

        async def enqueue_while_nobody_listens(session) -> None:
            assert (await session.connection.execute(sa.text(CUT))).scalars().all() == [True]
            await engine.enqueue(session, execution_id, 1)

        await database.transact(enqueue_while_nobody_listens)
        await begun.wait(execution_id)


async def test_a_worker_without_a_free_slot_takes_the_rest_later(database):
    running, most, seen = 0, 0, set()

    async def runner(segment) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        seen.add(segment.execution_id)

    ids = {uuid4() for _ in range(7)}
    async with engine_on(database, runner, shared=True, concurrency=2, poll_s=HOUR) as engine:

        async def all_at_once(session) -> None:
            for execution_id in ids:
                await engine.enqueue(session, execution_id, 1)

        await database.transact(all_at_once)

        async def all_seen() -> bool:
            return seen == ids

        await until(all_seen)
    assert most <= 2

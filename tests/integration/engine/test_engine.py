"""The engine with a runner of our own: claims, fences, hand-over, drain. Real PostgreSQL, real DBOS."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from dbos._sys_db import SystemDatabase

from combine.engine import queue
from combine.engine.engine import Adoption, Engine, workflow_id
from combine.engine.recovery import SHARED_QUEUE, recover
from combine.errors import OwnershipLost
from combine.execution.segment import Segment
from combine.storage.core.database import Database, WriteSession
from combine.storage.core.listener import CONTROL_CHANNEL, EventListener

Runner = Callable[[Segment], Awaitable[None]]


@asynccontextmanager
async def engine_on(database: Database, runner: Runner, **changes) -> AsyncIterator[Engine]:
    listener = EventListener(database.url)
    await listener.start()
    settings = {"kind": "cli", "shared": False, "version": "test", "drain_grace_s": 5.0, "poll_s": 0.02} | changes
    engine = Engine(database, listener, runner, **settings)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.drain()
        await listener.close()


async def enqueue(database: Database, engine: Engine, execution_id: UUID, round_: int = 1, **where) -> None:
    async def work(session: WriteSession) -> None:
        await engine.enqueue(session, execution_id, round_, **where)

    await database.transact(work)


async def state_of(database: Database, execution_id: UUID, round_: int = 1):
    async with database.read() as session:
        found = await session.connection.execute(
            sa.text(queue.SEGMENT_STATE), {"workflow_id": workflow_id(execution_id, round_)}
        )
        return found.first()


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_a_segment_runs_once_and_ends(database):
    seen: list[tuple[UUID, int]] = []
    done = asyncio.Event()

    async def runner(segment: Segment) -> None:
        await database.transact(segment.claim.hold)
        seen.append((segment.execution_id, segment.round))
        done.set()

    execution_id = uuid4()
    async with engine_on(database, runner) as engine:
        await enqueue(database, engine, execution_id)
        await enqueue(database, engine, execution_id)
        await asyncio.wait_for(done.wait(), 20)

        async def ended() -> bool:
            return (await state_of(database, execution_id)).status == "SUCCESS"

        await until(ended)
    assert seen == [(execution_id, 1)]


async def test_nothing_is_enqueued_when_the_transaction_rolls_back(database):
    async def runner(_: Segment) -> None: ...

    execution_id = uuid4()
    async with engine_on(database, runner) as engine:

        async def work(session: WriteSession) -> None:
            await engine.enqueue(session, execution_id, 1)
            raise LookupError

        with pytest.raises(LookupError):
            await database.transact(work)
        assert await state_of(database, execution_id) is None


async def test_the_fence_refuses_a_segment_that_was_taken_over(database):
    lost = asyncio.Event()

    async def runner(segment: Segment) -> None:
        async def steal(session: WriteSession) -> None:
            await session.connection.execute(
                sa.text("UPDATE dbos.workflow_status SET owner_xid = 'somebody else' WHERE workflow_uuid = :id"),
                {"id": workflow_id(segment.execution_id, segment.round)},
            )

        await database.transact(steal)
        try:
            await database.transact(segment.claim.hold)
        except OwnershipLost:
            lost.set()
            raise

    async with engine_on(database, runner, drain_grace_s=0.1) as engine:
        await enqueue(database, engine, uuid4())
        await asyncio.wait_for(lost.wait(), 20)


async def test_a_person_s_change_wakes_the_segment(database):
    woken, started = asyncio.Event(), asyncio.Event()

    async def runner(segment: Segment) -> None:
        started.set()
        await asyncio.wait_for(segment.wake.wait(), 20)
        woken.set()

    execution_id = uuid4()
    async with engine_on(database, runner) as engine:
        await enqueue(database, engine, execution_id)
        await asyncio.wait_for(started.wait(), 20)

        async def poke(session: WriteSession) -> None:
            await session.connection.execute(
                sa.text("SELECT pg_notify(:c, :i)"), {"c": CONTROL_CHANNEL, "i": str(execution_id)}
            )

        await database.transact(poke)
        await asyncio.wait_for(woken.wait(), 20)


async def test_draining_lets_the_segment_hand_itself_back(database):
    started = asyncio.Event()

    async def runner(segment: Segment) -> None:
        started.set()
        await segment.wake.wait()
        assert segment.draining
        await database.transact(segment.enqueue_next)

    execution_id = uuid4()
    async with engine_on(database, runner) as engine:
        await enqueue(database, engine, execution_id)
        await asyncio.wait_for(started.wait(), 20)
    next_ = await state_of(database, execution_id, 2)
    assert (next_.status, next_.queue_name) == ("ENQUEUED", SHARED_QUEUE)


async def test_draining_waits_until_a_segment_that_is_over_is_written_as_over(database, caplog):
    """Else DBOS is cut off in that write: it complains, and another process runs the segment once more."""
    execution_id, started, begin, over = uuid4(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def runner(_: Segment) -> None:
        started.set()
        await begin.wait()
        over.set()

    async def drain_while_the_row_is_held(session: WriteSession) -> asyncio.Task[None]:
        row = sa.text("SELECT 1 FROM dbos.workflow_status WHERE workflow_uuid = :id FOR UPDATE")
        await session.connection.execute(row, {"id": workflow_id(execution_id, 1)})
        begin.set()
        await over.wait()
        draining = asyncio.create_task(engine.drain())
        await asyncio.wait([draining], timeout=0.3)
        ours = sa.text("SELECT count(*) FROM executors WHERE id = :id")
        assert (await session.connection.execute(ours, {"id": engine.executor_id})).scalar_one(), "it waits no longer"
        return draining

    async with engine_on(database, runner) as engine:
        await enqueue(database, engine, execution_id)
        await asyncio.wait_for(started.wait(), 20)
        await (await database.transact(drain_while_the_row_is_held))
    assert (await state_of(database, execution_id)).status == "SUCCESS"
    assert "cancelled" not in caplog.text


async def test_draining_waits_for_a_claim_under_way(database, monkeypatch, caplog):
    """Else its segment would begin after the drain has looked for segments, and DBOS would be gone when it ends."""
    claimed, draining = threading.Event(), []
    claim = SystemDatabase.start_queued_workflows

    def slowly(*given, **named):
        found = claim(*given, **named)
        if found[0]:
            claimed.set()
            time.sleep(0.3)
        return found

    async def runner(segment: Segment) -> None:
        draining.append(segment.draining)

    monkeypatch.setattr(SystemDatabase, "start_queued_workflows", slowly)
    execution_id = uuid4()
    async with engine_on(database, runner) as engine:
        await enqueue(database, engine, execution_id)
        assert await asyncio.to_thread(claimed.wait, 20)
    assert draining == [True]
    assert (await state_of(database, execution_id)).status == "SUCCESS"
    assert "Exception" not in caplog.text


async def test_a_segment_that_outlives_the_grace_time_is_free_for_others(database):
    started = asyncio.Event()

    async def runner(_: Segment) -> None:
        started.set()
        await asyncio.Event().wait()

    execution_id = uuid4()
    async with engine_on(database, runner, drain_grace_s=0.1) as engine:
        await enqueue(database, engine, execution_id)
        await asyncio.wait_for(started.wait(), 20)
    assert (await state_of(database, execution_id)).status == "PENDING"
    assert await database.transact(recover) == (workflow_id(execution_id, 1),)
    freed = await state_of(database, execution_id)
    assert (freed.status, freed.queue_name) == ("ENQUEUED", SHARED_QUEUE)


async def test_what_a_stopping_process_had_queued_goes_to_the_shared_queue(database):
    async def runner(_: Segment) -> None:
        await asyncio.Event().wait()

    execution_id = uuid4()
    async with engine_on(database, runner, concurrency=1, drain_grace_s=0.1) as engine:
        first = uuid4()
        await enqueue(database, engine, first)

        async def claimed() -> bool:
            return (await state_of(database, first)).status == "PENDING"

        await until(claimed)
        await enqueue(database, engine, execution_id)
    left = await state_of(database, execution_id)
    assert (left.status, left.queue_name) == ("ENQUEUED", SHARED_QUEUE)


async def test_adoption(database):
    release = asyncio.Event()
    runs: list[UUID] = []

    async def runner(segment: Segment) -> None:
        runs.append(segment.execution_id)
        await release.wait()

    async def adopt(execution_id: UUID, engine: Engine) -> Adoption:
        async def work(session: WriteSession) -> Adoption:
            return await engine.adopt(session, execution_id, 1)

        return await database.transact(work)

    async with engine_on(database, runner) as engine:
        unclaimed, unknown = uuid4(), uuid4()
        await enqueue(database, engine, unclaimed, shared=True)
        assert await adopt(unclaimed, engine) is Adoption.ADOPTED
        assert await adopt(unknown, engine) is Adoption.ENDED

        async def running() -> bool:
            return unclaimed in runs

        await until(running)
        foreign = uuid4()
        await enqueue(database, engine, foreign, shared=True)

        async def claim_elsewhere(session: WriteSession) -> None:
            await session.connection.execute(
                sa.text(
                    "INSERT INTO executors (id, kind, queue, host, pid, version) "
                    "VALUES ('other', 'worker', 'segments', 'elsewhere', 1, 'test')"
                )
            )
            await session.connection.execute(
                sa.text(
                    "UPDATE dbos.workflow_status SET status = 'PENDING', executor_id = 'other' "
                    "WHERE workflow_uuid = :id"
                ),
                {"id": workflow_id(foreign, 1)},
            )

        await database.transact(claim_elsewhere)
        assert await adopt(foreign, engine) is Adoption.BUSY
        release.set()


_CLAIM_AND_HANG = """
import asyncio, sys
from uuid import UUID
from combine.engine.engine import Engine
from combine.storage.core.database import Database
from combine.storage.core.listener import EventListener

async def main(url, execution_id):
    database, listener = Database(url), EventListener(url)
    await listener.start()
    async def runner(segment):
        print("claimed", flush=True)
        await asyncio.Event().wait()
    engine = Engine(database, listener, runner, kind="cli", shared=False, version="test", poll_s=0.02)
    await engine.start()
    async def work(session):
        await engine.enqueue(session, UUID(execution_id), 1)
    await database.transact(work)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_the_work_of_a_killed_process_is_taken_back_at_once_on_the_same_machine(database):
    execution_id = uuid4()
    process = subprocess.Popen(
        [sys.executable, "-c", _CLAIM_AND_HANG, database.url, str(execution_id)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == "claimed\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    done = asyncio.Event()

    async def runner(segment: Segment) -> None:
        await database.transact(segment.claim.hold)
        done.set()

    async with engine_on(database, runner, shared=True, kind="worker"):
        await asyncio.wait_for(done.wait(), 20)

"""Executions that say "queued" or "running" while nothing in the queue will carry them on."""

import asyncio
from functools import partial
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from house import House
from test_engine import engine_on, enqueue, state_of, until

from combine.engine.engine import workflow_id
from combine.engine.recovery import SHARED_QUEUE, Recovery, recover, requeue_lost
from combine.storage.core import locks
from combine.workflows.catalog import load_catalog


async def idle(_): ...


@pytest.fixture
def house(database):
    return House(database, load_catalog(None))


async def change(database, statement: str, **values) -> None:
    await database.transact(lambda session: session.connection.execute(sa.text(statement), values))


async def status_in_the_queue(database, execution_id: UUID, status: str) -> None:
    await change(
        database,
        "UPDATE dbos.workflow_status SET status = :status WHERE workflow_uuid = :id",
        status=status,
        id=workflow_id(execution_id, 1),
    )


async def alone(session) -> None:
    """Wait for the engine's own pass to be over, and keep the next one out."""
    await session.connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": locks.RECOVERY})


async def sweep(database, engine, grace_s: float = 0.0) -> tuple[str, ...]:
    async def work(session) -> tuple[str, ...]:
        await alone(session)
        return await requeue_lost(session, partial(engine.enqueue, shared=True), grace_s=grace_s)

    return await database.transact(work)


@pytest.mark.parametrize("status", [None, "SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"])
async def test_an_execution_without_a_segment_gets_the_next_round(database, house, status):
    execution_id = UUID(await house.start())
    async with engine_on(database, idle) as engine:
        if status is not None:
            await enqueue(database, engine, execution_id, 1, shared=True)
            await status_in_the_queue(database, execution_id, status)
        assert await sweep(database, engine) == (str(execution_id),)
        row = await house.row(execution_id)
        assert (row.status, row.round, row.reason_code) == ("queued", 2, "segment_lost")
        queued = await state_of(database, execution_id, 2)
        assert (queued.status, queued.queue_name) == ("ENQUEUED", SHARED_QUEUE)
        assert (await house.events(execution_id))[-1].kind == "execution_queued"
        assert await sweep(database, engine) == ()


async def test_what_is_queued_or_claimed_is_left_alone(database, house):
    execution_id = UUID(await house.start())
    async with engine_on(database, idle) as engine:
        await enqueue(database, engine, execution_id, 1, shared=True)
        assert await sweep(database, engine) == ()
        await status_in_the_queue(database, execution_id, "PENDING")
        assert await sweep(database, engine) == ()


@pytest.mark.parametrize("status", ["waiting_for_answers", "completed", "failed", "cancelled"])
async def test_what_waits_or_has_ended_is_left_alone(database, house, status):
    execution_id = await house.start()
    await change(database, "UPDATE executions SET status = :status WHERE id = :id", status=status, id=execution_id)
    async with engine_on(database, idle) as engine:
        assert await sweep(database, engine) == ()


async def test_nothing_is_lost_before_the_grace_time_is_over(database, house):
    execution_id = await house.start()
    async with engine_on(database, idle) as engine:
        assert await sweep(database, engine, grace_s=10) == ()
        await change(database, "UPDATE executions SET updated_at = updated_at - interval '11 s'")
        assert await sweep(database, engine, grace_s=10) == (execution_id,)


async def test_an_execution_whose_row_is_deleted_in_the_queue_ends_all_the_same(database, house):
    execution_id = UUID(await house.start(ask=False))
    async with engine_on(database, house.runner.run, shared=True, kind="worker") as engine:
        sweeping = asyncio.create_task(
            Recovery(
                database,
                engine.executor_id,
                engine.queue,
                every_s=0.5,
                lost_after_s=0.1,
                enqueue=engine.enqueue,
                on_recovered=print,
            ).run()
        )

        async def ended() -> bool:
            return (await house.row(execution_id)).status == "completed"

        await until(ended)
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)
    assert (await house.row(execution_id)).round == 2


async def test_a_queue_that_nobody_listens_to_is_emptied_into_the_shared_one(database):
    execution_id = uuid4()
    async with engine_on(database, idle) as engine:
        await enqueue(database, engine, execution_id, shared=True)

        async def work(session) -> tuple[str, ...]:
            await alone(session)
            await session.connection.execute(sa.text("UPDATE dbos.workflow_status SET queue_name = 'cli-long-gone'"))
            return await recover(session)

        assert await database.transact(work) == (workflow_id(execution_id, 1),)
        assert (await state_of(database, execution_id)).queue_name == SHARED_QUEUE

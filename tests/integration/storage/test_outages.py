"""When executions that wait for a provider may go on, by a clock of the test's own."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from combine.storage.hot.outages import LONGEST_WAIT_S, PROBE_LEASE_S, Outages, wait_s

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_the_waits_double_up_to_a_quarter_of_an_hour():
    assert [wait_s(tries) for tries in (1, 2, 3, 4, 5, 6, 7, 99)] == [30, 60, 120, 240, 480, 900, 900, 900]
    assert LONGEST_WAIT_S == 15 * 60


class Book:
    """The outages of one database, by a clock that the test sets."""

    def __init__(self, stored) -> None:
        self.stored = stored
        self.database = stored.database

    async def begun(self, number):
        ids = [await self.stored.another_execution() for _ in range(number)]
        for one in ids:
            await self.rests(one, "running")
        return ids

    async def join(self, execution_id, seconds, provider="anthropic", **more):
        async def work(session):
            return await Outages(session, now=after(seconds)).join(execution_id, provider, **more)

        return await self.database.transact(work)

    async def rests(self, execution_id, status="waiting_for_provider"):
        await self._run("UPDATE executions SET status = :status WHERE id = :id", status=status, id=execution_id)

    async def due(self, seconds):
        async def work(session):
            return await Outages(session, now=after(seconds)).due(limit=100)

        return await self.database.transact(work)

    async def release(self, due):
        async def work(session):
            await Outages(session).try_now(due.execution_id, probe=due.probe)

        await self.database.transact(work)
        # As of noon, not of the machine's clock.
        await self._run(
            "UPDATE executions SET status='queued', updated_at=:at WHERE id=:id", at=NOON, id=due.execution_id
        )

    async def over(self, execution_id, provider="anthropic"):
        async def work(session):
            await Outages(session, now=after(40)).over(execution_id, provider)

        await self.database.transact(work)

    async def rows(self):
        async with self.database.read() as session:
            found = await session.connection.execute(
                sa.text("SELECT id, next_try_at, tries, waits_for FROM executions WHERE status <> 'completed'")
            )
            return {row.id: row for row in found}

    async def _run(self, statement, **values):
        async def work(session):
            await session.connection.execute(sa.text(statement), values)

        await self.database.transact(work)


@pytest.fixture
async def book(stored) -> Book:
    made = Book(stored)
    await made.rests(stored.execution_id, "completed")
    return made


async def all_wait(book, number, provider="anthropic", seconds=0.0):
    ids = await book.begun(number)
    for one in ids:
        await book.join(one, seconds, provider)
        await book.rests(one)
    return ids


async def test_those_who_meet_the_same_outage_share_one_time_and_count_one_try(book):
    ids = await book.begun(3)
    seen = []
    for place, one in enumerate(ids):
        next_try = await book.join(one, 5.0 * place)
        seen.append((next_try.at, next_try.tries))
        await book.rests(one)
    assert seen == [(after(30), 1)] * 3


async def test_one_probe_for_ten_and_no_second_one_while_it_is_out(book):
    ids = await all_wait(book, 10)
    assert await book.due(29) == ()
    (probe,) = await book.due(31)
    assert (probe.execution_id, probe.waits_for, probe.probe) == (ids[0], "anthropic", True)
    await book.release(probe)
    assert await book.due(60) == ()
    (second,) = await book.due(PROBE_LEASE_S + 1)  # the first gives no sign of life
    assert second.execution_id == ids[1]


async def test_a_probe_that_fails_moves_all_of_them_on(book):
    ids = await all_wait(book, 10)
    seconds = 31.0
    for tries, wait in ((2, 60), (3, 120), (4, 240), (5, 480), (6, 900), (7, 900)):
        (probe,) = await book.due(seconds)
        await book.release(probe)
        await book.join(probe.execution_id, seconds)
        await book.rests(probe.execution_id)
        rows = await book.rows()
        assert {(rows[one].next_try_at, rows[one].tries) for one in ids} == {(after(seconds + wait), tries)}
        assert await book.due(seconds + wait - 1) == ()
        seconds += wait + 1


async def test_a_probe_that_succeeds_releases_all_of_them(book):
    ids = await all_wait(book, 10)
    others = await all_wait(book, 2, "openai")
    (probe,) = [one for one in await book.due(31) if one.waits_for == "anthropic"]
    await book.release(probe)
    await book.over(probe.execution_id)
    free = [one for one in await book.due(40) if one.waits_for == "anthropic"]
    assert {one.execution_id for one in free} == set(ids[1:])
    assert not any(one.probe for one in free)
    rows = await book.rows()
    assert (rows[probe.execution_id].waits_for, rows[probe.execution_id].tries) == (None, 0)
    assert {rows[one].tries for one in others} == {1}
    for one in free:
        await book.release(one)
    assert {row.waits_for for row in (await book.rows()).values()} == {None, "openai"}


async def test_each_provider_has_a_probe_of_its_own(book):
    first = await all_wait(book, 3)
    second = await all_wait(book, 3, "openai")
    assert {one.execution_id for one in await book.due(31)} == {first[0], second[0]}


async def test_what_the_provider_asks_for_is_honoured_for_all(book):
    ids = await all_wait(book, 2)
    newcomer = (await book.begun(1))[0]
    assert (await book.join(newcomer, 1, at_least_s=3600)).at == after(3601)
    assert {row.next_try_at for row in (await book.rows()).values() if row.waits_for} == {after(3601)}
    assert await book.due(31) == ()
    assert (await book.rows())[ids[0]].tries == 1


@pytest.mark.parametrize("status", ["failed", "cancelled", "waiting_for_budget"])
async def test_a_probe_that_comes_to_another_end_gives_way_to_the_next(book, status):
    ids = await all_wait(book, 2)
    (probe,) = await book.due(31)
    await book.release(probe)
    await book.rests(probe.execution_id, status)
    assert [one.execution_id for one in await book.due(32)] == [ids[1]]


async def test_a_new_outage_begins_to_count_anew(book):
    (one,) = await all_wait(book, 1)
    (probe,) = await book.due(31)
    await book.release(probe)
    await book.join(one, 31)
    await book.over(one)
    assert (await book.join(one, 500)).tries == 1

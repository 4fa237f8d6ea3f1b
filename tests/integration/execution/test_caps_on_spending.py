"""Caps of a project and of a day: reserved in the database before each call, released to the true cost after it."""

import asyncio
from decimal import Decimal
from uuid import UUID, uuid4

import bakery
import pytest
import sqlalchemy as sa
from before_midnight import stay_within_one_day
from house import HandSegment, House

from combine.brief.reading import split_brief
from combine.errors import Invalid, PermanentLLMError
from combine.llm.pricing import ModelPrice, Pricing
from combine.storage.core.database import Database
from combine.storage.core.tables import daily_spending, executions, llm_calls, projects
from combine.storage.core.visibility import EVERYTHING
from combine.storage.hot.journal import Journal
from combine.storage.projects import Projects

ANSWERED = {"answers": {"Q-1": "Offer the next free day."}}
PRICED = Pricing({"scripted": ModelPrice(Decimal(100), Decimal(1000))})


async def set_cap(house, name, usd):
    new_id = uuid4()

    async def work(session):
        repository = Projects(session)
        if (found := await repository.find(name, EVERYTHING)) is None:
            await repository.insert(new_id, name)
        await repository.set_budget(new_id if found is None else found.id, usd)

    await house.database.transact(work)


async def one(house, query):
    async with house.database.read() as session:
        return (await session.connection.execute(query)).one()


async def books(house, name="bakery"):
    """(spent, reserved) of the project and of all days."""
    project = await one(house, sa.select(projects.c.spent_usd, projects.c.reserved_usd).where(projects.c.name == name))
    total = [sa.func.coalesce(sa.func.sum(column), 0) for column in daily_spending.c[2:0:-1]]
    return tuple(project), tuple(await one(house, sa.select(*total)))


class Watched:
    """A provider that looks into the books at every call, while it is in flight."""

    name = "scripted"

    def __init__(self, house, cap, table):
        self.house, self.cap, self.table = house, cap, table
        self.sums = sa.select(sa.func.sum(table.c.spent_usd + table.c.reserved_usd))
        self.ledger = sa.select(sa.func.sum(sa.func.coalesce(llm_calls.c.cost_usd, llm_calls.c.reserved_usd)))
        self.inner, self.highest, self.in_flight, self.together = house.llm, Decimal(0), 0, 0

    def provider(self, ref):
        return self

    async def complete(self, request, on_progress=None):
        self.in_flight += 1
        self.together = max(self.together, self.in_flight)
        booked = (await one(self.house, self.sums))[0]
        ledger = (await one(self.house, self.ledger))[0]
        assert max(booked, ledger) <= self.cap
        self.highest = max(self.highest, booked)
        await asyncio.sleep(0)
        reply = await self.inner.complete(request, on_progress)
        self.in_flight -= 1
        return reply


def answer(request):
    """By the request alone: the positions of a list would be shared by executions of the same brief."""
    if request.schema_name == "project-discovery" and '"id":"Q-1"' not in request.prefix:
        return bakery.asking()
    return bakery.reply(bakery.document(request.schema_name))


@pytest.mark.parametrize("kind", ["project", "day"])
async def test_twenty_executions_together_never_pass_one_cap(database_url, catalog, kind):
    house = House(Database(database_url, pool_size=25), catalog, pricing=PRICED)
    house.says(answer)
    cap = Decimal(20)
    await stay_within_one_day()
    if kind == "project":
        await set_cap(house, "bakery", cap)
        watched = Watched(house, cap, projects)
    else:
        house.daily_budget_usd = cap
        watched = Watched(house, cap, daily_spending)
    for n in range(20):
        brief = split_brief(f"{bakery.BRIEF}\nWe are bakery number {n}.\n")  # the script keeps its place by brief
        await house.start(**ANSWERED, brief=brief, project="bakery" if kind == "project" else f"bakery {n}")
    house.llm = watched
    segments = [HandSegment(house, *queued) for queued in house.queue]
    await asyncio.wait_for(asyncio.gather(*(house.runner.run(segment) for segment in segments)), 120)

    rows = [await house.row(segment.execution_id) for segment in segments]
    stopped = [row for row in rows if row.status == "waiting_for_budget"]
    code = "project_budget_reached" if kind == "project" else "daily_budget_reached"
    assert stopped
    assert {(row.status, row.reason_code) for row in rows} <= {("waiting_for_budget", code), ("completed", None)}
    assert watched.together > 1
    assert cap / 2 < watched.highest <= cap
    spent = sum(row.spent_usd for row in rows)
    sums = sa.select(sa.func.sum(watched.table.c.spent_usd), sa.func.sum(watched.table.c.reserved_usd))
    assert tuple(await one(house, sums)) == (spent, 0)
    assert ("project 'bakery'" if kind == "project" else "the daily cap") in stopped[0].reason
    await house.database.close()


async def test_a_project_at_its_cap_goes_on_with_more_and_without_a_budget_of_its_own(house):
    house.pricing = PRICED
    await set_cap(house, "bakery", Decimal("3.5"))
    execution = await house.start(**ANSWERED)
    row = await house.run()
    assert (row.status, row.reason_code) == ("waiting_for_budget", "project_budget_reached")
    await house.service.resume(execution)
    assert (await house.run()).reason_code == "project_budget_reached"
    await set_cap(house, "bakery", None)
    await house.service.resume(execution)
    row = await house.run()
    assert row.status == "completed"
    assert await books(house) == ((row.spent_usd, 0), (row.spent_usd, 0))


async def test_a_day_at_its_cap_goes_on_the_next_day(house):
    house.pricing, house.daily_budget_usd = PRICED, Decimal("3.5")
    await stay_within_one_day()
    execution = await house.start(**ANSWERED)
    assert (await house.run()).reason_code == "daily_budget_reached"
    async with house.database._engine.begin() as connection:  # the night goes by
        await connection.execute(sa.update(daily_spending).values(day=daily_spending.c.day - 1))
    await house.service.resume(execution)
    row = await house.run()
    async with house.database.read() as session:
        days = (await session.connection.execute(sa.select(daily_spending).order_by("day"))).all()
    assert len(days) == 2
    assert all(day.spent_usd <= Decimal("3.5") and day.reserved_usd == 0 for day in days)
    assert sum(day.spent_usd for day in days) == row.spent_usd


async def test_a_call_that_spans_midnight_is_booked_on_the_day_it_was_reserved(house):
    house.pricing = PRICED
    script = house.llm

    class Midnight:
        name = "scripted"

        def provider(self, ref):
            return self

        async def complete(self, request, on_progress=None):
            async with house.database._engine.begin() as connection:
                await connection.execute(sa.update(daily_spending).values(day=daily_spending.c.day - 1))
                await connection.execute(
                    sa.update(llm_calls).values(started_at=llm_calls.c.started_at - sa.text("interval '1 day'"))
                )
            raise PermanentLLMError("No.")

    house.llm = Midnight()
    await house.start(**ANSWERED)
    await house.run()
    house.llm = script
    async with house.database.read() as session:
        days = (await session.connection.execute(sa.select(daily_spending))).all()
    assert [(day.spent_usd, day.reserved_usd) for day in days] == [(0, 0)]


async def test_what_is_unknown_stays_reserved_until_the_reply_comes(house):
    house.pricing = PRICED
    execution = await house.start(**ANSWERED)
    seen = []

    class Forgotten:
        name = "scripted"

        def provider(self, ref):
            return self

        async def complete(self, request, on_progress=None):
            async def forget(session):
                await Journal(session).forget_open_calls(UUID(execution))

            await house.database.transact(forget)
            seen.append(await books(house))
            raise PermanentLLMError("No.")

    house.llm = Forgotten()
    await house.run()
    (project, day) = seen[0]
    assert project == day
    assert project[0] == 0
    assert project[1] == (await house.calls(execution))[0].reserved_usd > 1
    assert await books(house) == ((0, 0), (0, 0))


async def test_calls_that_cost_nothing_touch_neither_project_nor_day(house):
    await set_cap(house, "bakery", Decimal("0.01"))
    house.daily_budget_usd = Decimal("0.01")
    await house.start(**ANSWERED)
    assert (await house.run()).status == "completed"
    assert await books(house) == ((0, 0), (0, 0))


UNPRICED = {**ANSWERED, "model": "openai:nobody-knows"}


@pytest.mark.parametrize("kind", ["execution", "project", "day"])
async def test_an_unknown_price_is_refused_under_any_cap_unless_it_is_allowed(house, kind):
    changes = {"budget_usd": Decimal(1)} if kind == "execution" else {}
    if kind == "project":
        await set_cap(house, "bakery", Decimal(1))
    if kind == "day":
        house.daily_budget_usd = Decimal(1)
    with pytest.raises(Invalid) as caught:
        await house.start(**UNPRICED, **changes)
    assert caught.value.code == "price_unknown"
    assert "--allow-unpriced" in caught.value.hint
    execution = await house.start(**UNPRICED, **changes, allow_unpriced=True)
    assert (await house.run()).status == "completed"
    assert {call.reserved_usd for call in await house.calls(execution)} == {None}
    said = [event.data for event in await house.events(execution) if event.kind == "unpriced_allowed"]
    assert said == [{"models": ["openai:nobody-knows"]}]


async def test_without_a_cap_an_unknown_price_runs_and_a_cap_set_later_stops_it(house):
    execution = await house.start(**UNPRICED)
    await set_cap(house, "bakery", Decimal(1))
    row = await house.run()
    assert (row.status, row.reason_code) == ("waiting_for_budget", "price_unknown")
    await house.service.resume(execution, allow_unpriced=True)
    assert (await house.run()).status == "completed"
    assert (await one(house, sa.select(executions.c.allow_unpriced)))[0] is True

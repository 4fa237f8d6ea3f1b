"""A person says what a call of unknown outcome has cost: every sum follows, and the true reply still counts."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from api_house import until
from house import House
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger import forget, open_call, reply, unknown_call, wrong_sums
from town import Town

from combine.auth.permissions import OPERATOR, Scope
from combine.errors import Conflict, Invalid, NotFound, NotPermitted
from combine.services.audit import AuditService
from combine.services.costs import CostService
from combine.services.settling import SettlingService
from combine.storage.core.database import Database
from combine.storage.core.tables import daily_spending, llm_calls, projects
from combine.storage.projects import Projects
from combine.workflows.catalog import load_catalog


async def settle(house, execution, call, usd, actor=OPERATOR):
    return await SettlingService(house.database, actor=actor).settle(str(execution), str(call), Decimal(usd))


async def reserved(house, execution):
    """Of the execution, its project, and each day."""
    row = await house.row(execution)
    async with house.database.read() as session:
        project = sa.select(projects.c.reserved_usd).where(projects.c.id == row.project_id)
        days = sa.select(daily_spending.c.reserved_usd).order_by(daily_spending.c.day)
        of_project = (await session.connection.execute(project)).scalar_one()
        of_days = (await session.connection.execute(days)).scalars().all()
    return row.reserved_usd, of_project, *of_days


async def test_the_amount_takes_the_place_of_the_reservation_in_all_three_sums(house):
    execution = await house.start()
    call = await unknown_call(house.database, execution, "0.5")
    assert await reserved(house, execution) == (Decimal("0.5"),) * 3
    assert await settle(house, execution, call, "0.12") == UUID(execution)
    assert await reserved(house, execution) == (Decimal("0.12"),) * 3
    [row] = await house.calls(execution)
    assert (row.state, row.reserved_usd, row.cost_usd) == ("outcome_unknown", Decimal("0.12"), None)
    report = await CostService(house.database, actor=OPERATOR).report()
    assert (report.total.outcome_unknown, report.total.outcome_unknown_usd) == (1, Decimal("0.12"))
    assert await wrong_sums(house.database) == []


@pytest.mark.parametrize("said", ["0", "0.000001", "0.5", "0.75", "9999999"])
async def test_it_may_be_nothing_the_same_or_more(house, said):
    execution = await house.start()
    await settle(house, execution, await unknown_call(house.database, execution, "0.5"), said)
    assert await reserved(house, execution) == (Decimal(said),) * 3


async def test_the_last_word_counts_and_each_one_is_told(house):
    execution = await house.start()
    call = await unknown_call(house.database, execution, "0.5", step_id="review")
    for said in ("0.12", "0.3", "0.3", "0"):
        await settle(house, execution, call, said)
    assert await reserved(house, execution) == (0, 0, 0)
    events = [event for event in await house.events(execution) if event.kind == "call_settled"]
    told = [(event.data["usd"], event.data["was_usd"]) for event in events]
    assert told == [("0.12", "0.5"), ("0.3", "0.12"), ("0.3", "0.3"), ("0", "0.3")]
    assert {(event.data["call_id"], event.step_id) for event in events} == {(str(call), "review")}
    assert [event.seq for event in await house.events(execution)] == list(
        range(1, (await house.row(execution)).seq + 1)
    )
    rows = await AuditService(house.database, actor=OPERATOR).list()
    written = [(row.action, row.object, row.data) for row in reversed(rows) if row.action == "call.settled"]
    assert written == [("call.settled", execution, event.data) for event in events]


async def test_what_had_no_price_is_counted_from_then_on(house):
    execution = await house.start()
    call = await unknown_call(house.database, execution, None)
    assert await reserved(house, execution) == (0, 0)
    await settle(house, execution, call, "0.2")
    assert await reserved(house, execution) == (Decimal("0.2"),) * 3
    assert (await house.events(execution))[-1].data["was_usd"] is None
    other = await unknown_call(house.database, execution, None)
    await settle(house, execution, other, "0")
    assert {row.reserved_usd for row in await house.calls(execution)} == {Decimal("0.2"), Decimal(0)}
    assert await wrong_sums(house.database) == []


@pytest.mark.parametrize("cost", ["0.03", "0.7", None])
async def test_a_reply_that_comes_after_all_counts_in_its_place(house, cost):
    execution = await house.start()
    call = await unknown_call(house.database, execution, "0.5")
    await settle(house, execution, call, "0.12")
    await reply(house.database, execution, call, cost)
    assert await reserved(house, execution) == (0, 0, 0)
    assert (await house.row(execution)).spent_usd == Decimal(cost or 0)
    assert await wrong_sums(house.database) == []
    with pytest.raises(Conflict, match="is replied") as refused:
        await settle(house, execution, call, "0.12")
    assert refused.value.code == "call_outcome_known"
    assert await wrong_sums(house.database) == []


async def test_it_is_booked_on_the_day_of_the_call(house):
    execution = await house.start()
    call = await unknown_call(house.database, execution, "0.5")
    async with house.database._engine.begin() as connection:  # a night goes by
        await connection.execute(sa.update(daily_spending).values(day=daily_spending.c.day - 1))
        await connection.execute(sa.update(llm_calls).values(started_at=llm_calls.c.started_at - timedelta(days=1)))
    await unknown_call(house.database, execution, "0.25")
    await settle(house, execution, call, "0.1")
    assert await reserved(house, execution) == (Decimal("0.35"), Decimal("0.35"), Decimal("0.1"), Decimal("0.25"))
    assert await wrong_sums(house.database) == []


async def test_an_execution_that_has_ended_is_settled_too(house):
    execution = await house.start()
    call = await open_call(house.database, execution, "0.5")
    await house.service.cancel(execution)
    await settle(house, execution, call, "0")
    row = await house.row(execution)
    assert (row.status, row.reserved_usd) == ("cancelled", 0)


async def test_what_waits_at_a_cap_goes_on_only_when_it_is_resumed(house):
    execution = await house.start()
    row = await house.row(execution)
    await house.database.transact(lambda session: Projects(session).set_budget(row.project_id, Decimal("0.6")))
    call = await unknown_call(house.database, execution, "0.5")
    house.queue.clear()
    async with house.database._engine.begin() as connection:
        await connection.execute(
            sa.text("UPDATE executions SET status = 'waiting_for_budget', reason_code = 'project_budget_reached'")
        )
    with pytest.raises(AssertionError):
        await open_call(house.database, execution, "0.5")
    await settle(house, execution, call, "0.1")
    assert ((await house.row(execution)).status, house.queue) == ("waiting_for_budget", [])
    await house.service.resume(execution)
    assert len(house.queue) == 1
    await open_call(house.database, execution, "0.5")


@pytest.mark.parametrize(("reached", "state"), [("intent", "in flight"), ("replied", "replied")])
async def test_a_call_whose_outcome_is_known_is_not_settled(house, reached, state):
    execution = await house.start()
    call = await open_call(house.database, execution, "0.5")
    if reached == "replied":
        await reply(house.database, execution, call, "0.4")
    before = await reserved(house, execution)
    with pytest.raises(Conflict, match=state) as refused:
        await settle(house, execution, call, "0.1")
    assert refused.value.code == "call_outcome_known"
    assert await reserved(house, execution) == before


async def test_only_calls_of_this_execution_are_found(house):
    execution, other = await house.start(), await house.start(project="other")
    call = await unknown_call(house.database, other, "0.5")
    for wanted in (call, uuid4(), "no digits"):
        with pytest.raises(NotFound) as refused:
            await settle(house, execution, wanted, "0.1")
        assert refused.value.code == "call_not_found"
    with pytest.raises(Invalid, match="too short"):
        await settle(house, other, str(call)[:3], "0.1")
    assert await reserved(house, other) == (Decimal("0.5"),) * 3
    await settle(house, other[:8], str(call)[:8].upper(), "0.1")
    assert await reserved(house, other) == (Decimal("0.1"),) * 3


async def test_a_beginning_that_several_calls_have_is_refused(house):
    execution = await house.start()
    for _ in range(2):
        await unknown_call(house.database, execution)
    async with house.database._engine.begin() as connection:
        await connection.execute(sa.text("UPDATE llm_calls SET id = overlay(id::text placing 'abcd' from 1)::uuid"))
    with pytest.raises(Conflict) as refused:
        await settle(house, execution, "abcd", "0.1")
    assert refused.value.code == "call_id_ambiguous"


@pytest.mark.parametrize("usd", ["-0.01", "10000000", "0.0000001", "NaN", "Infinity"])
async def test_what_no_call_can_have_cost(house, usd):
    execution = await house.start()
    call = await unknown_call(house.database, execution)
    with pytest.raises(Invalid) as refused:
        await settle(house, execution, call, usd)
    assert refused.value.code == "cost_invalid"


async def test_sums_that_their_columns_cannot_hold_are_refused(house):
    execution = await house.start()
    calls = [await unknown_call(house.database, execution) for _ in range(10)]
    for call in calls[:9]:
        await settle(house, execution, call, "9999999")
    with pytest.raises(Invalid) as refused:
        await settle(house, execution, calls[9], "9999999")
    assert refused.value.code == "cost_invalid"
    assert await wrong_sums(house.database) == []


async def test_it_is_the_owners(database, house):
    town = Town(database)
    people = {name: await town.person(name) for name in ("owner", "editor", "viewer", "stranger")}
    await town.project("bakery", members={people[name]: name for name in ("owner", "editor", "viewer")})
    execution = await house.start()
    call = await unknown_call(database, execution, "0.5")
    for name, error in (("editor", NotPermitted), ("viewer", NotPermitted), ("stranger", NotFound)):
        with pytest.raises(error):
            await settle(house, execution, call, "0.1", people[name])
    run_only = people["owner"].__class__(people["owner"].user_id, people["owner"].role, Scope.RUN)
    with pytest.raises(NotPermitted, match="scope"):
        await settle(house, execution, call, "0.1", run_only)
    assert await reserved(house, execution) == (Decimal("0.5"),) * 3
    await settle(house, execution, call, "0.1", people["owner"])
    assert await reserved(house, execution) == (Decimal("0.1"),) * 3


async def test_who_is_put_out_meanwhile_is_refused(database, house):
    town = Town(database)
    owner = await town.person("ada")
    await town.project("bakery", members={owner: "owner"})
    execution = await house.start()
    call = await unknown_call(database, execution, "0.5")
    asked = None

    async def somebody_waits():
        query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        async with database.read() as session:
            return (await session.connection.execute(sa.text(query))).first() is not None

    async def work(session):
        nonlocal asked
        await session.connection.execute(sa.text("SELECT 1 FROM executions FOR UPDATE"))
        asked = asyncio.create_task(settle(house, execution, call, "0.1", owner))
        await until(somebody_waits)
        await session.connection.execute(sa.text("DELETE FROM project_members"))

    await database.transact(work)
    assert asked is not None
    with pytest.raises(NotFound):
        await asked
    assert await reserved(house, execution) == (Decimal("0.5"),) * 3


async def test_many_at_once_leave_every_sum_right(database_url, catalog):
    """People, late replies and new calls, in two executions of one project."""
    house = House(Database(database_url, pool_size=20), catalog)
    executions = [await house.start(), await house.start()]
    calls = [(one, await unknown_call(house.database, one, "0.5")) for one in executions * 6]

    async def twice(execution, call, n):
        for said in ("0.2", f"0.{n + 1}"):
            with suppress(Conflict):  # the reply has come
                await settle(house, execution, call, said)

    work = [twice(execution, call, n) for n, (execution, call) in enumerate(calls)]
    work += [twice(execution, call, n) for n, (execution, call) in enumerate(calls)]
    work += [reply(house.database, execution, call, "0.4") for execution, call in calls[::3]]
    work += [open_call(house.database, execution, "0.1") for execution, _ in calls]
    await asyncio.wait_for(asyncio.gather(*work), 60)
    assert await wrong_sums(house.database) == []
    replied = [row for one in executions for row in await house.calls(one) if row.state == "replied"]
    assert len(replied) == 4
    await house.database.close()


AMOUNTS = st.sampled_from([None, "0", "0.000001", "0.25", "1.5", "120.75"])
DONE = st.tuples(st.sampled_from(["open", "forget", "settle", "reply"]), st.integers(0, 1), st.integers(0, 5), AMOUNTS)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DONE, max_size=20))
def test_whatever_happens_the_sums_are_those_of_the_calls(database_url, done):
    asyncio.run(_do(database_url, done))


async def _do(database_url, done):
    database = Database(database_url)
    house = House(database, load_catalog(None))
    executions = [await house.start(project=name) for name in ("bakery", "other")]
    calls = {one: [] for one in executions}
    for what, which, number, usd in done:
        execution = executions[which]
        if what == "open":
            calls[execution].append(await open_call(database, execution, usd))
        elif what == "forget":
            await forget(database, execution)
        elif calls[execution]:
            call = calls[execution][number % len(calls[execution])]
            if what == "reply":
                await reply(database, execution, call, usd)
            else:
                with suppress(Conflict):  # its outcome is known
                    await settle(house, execution, call, usd or "0")
        assert await wrong_sums(database) == []
    await database.close()

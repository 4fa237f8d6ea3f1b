"""Executions side by side in one project: none changes what another makes."""

import random
from pathlib import Path

import pytest
import sqlalchemy as sa
from house import HandSegment
from turns import Turns

from combine.auth.permissions import OPERATOR
from combine.brief.reading import split_brief
from combine.documents.items import iter_items
from combine.drafter import OfflineProvider
from combine.errors import OwnershipLost
from combine.services.commands import ForkExecution
from combine.services.replay import ReplayService
from combine.storage.core.tables import executions
from combine.storage.documents import Documents

EXAMPLES = Path(__file__).parents[3] / "examples"
BRIEFS = {
    "workshop": ("bicycle-workshop.md", "mechanic"),
    "clinic": ("clinic-waiting-list.md", "clinic"),
    "food bank": ("food-bank-deliveries.md", "food bank"),
}
"""Name -> an example, and words that none of the others has."""
CALLS = 5
"""At most, of one offline execution: questions, three drafts, the review."""


class Offline:
    """No language model."""

    name = "offline"

    def __init__(self):
        self.real = OfflineProvider()
        self.asked = []

    def provider(self, ref):
        return self

    async def complete(self, request, on_progress=None):
        self.asked.append(request.schema_name)
        return await self.real.complete(request, on_progress)


def brief(name):
    return split_brief((EXAMPLES / BRIEFS[name][0]).read_text(encoding="utf-8"))


async def start(house, name, project, **changes):
    given = {"brief": brief(name), "project": project, "model": "offline", "ask": False}
    return await house.start(**(given | changes))


async def run(house, name, project):
    execution = await start(house, name, project)
    assert (await house.run()).status == "completed"
    return execution


async def lose(house, execution, at):
    """Run it until another process seems to have taken over while the reply for the document ``at`` came in."""
    (_, round_) = house.queue.pop()
    segment = HandSegment(house, execution, round_)

    async def complete(request, on_progress=None):
        segment.lost = request.schema_name == at
        return await OfflineProvider().complete(request, on_progress)

    house.llm = Offline()
    house.llm.complete = complete
    with pytest.raises(OwnershipLost):
        await house.runner.run(segment)
    house.llm = Offline()


async def side_by_side(house, project, order):
    """Name -> execution, begun together; ``order``: names, whose call is let through next."""
    started = {name: await start(house, name, project) for name in dict.fromkeys(order)}
    turns = Turns(OfflineProvider(), {started[name]: BRIEFS[name][1] for name in started})
    house.llm = turns
    await turns.run(house, [started[name] for name in order])
    house.llm = Offline()
    return started


async def made(house, execution):
    """Type -> content of what its steps have made last."""
    ids = [step.document_id for step in (await house.steps(execution)).values() if step.document_id]
    async with house.database.read() as session:
        return {row.type: row.content for row in await Documents(session).get_many(ids)}


async def outcome(house, execution):
    found = [row for row in await house.findings(execution) if row.step_id != "review"]
    return (await house.row(execution)).status, [(one.code, one.item) for one in found]


async def differing(house, execution):
    """Documents that a replay does not rebuild byte for byte."""
    replays = ReplayService(house.database, house.catalog, actor=OPERATOR, secrets=())
    return [one for one in (await replays.replay(execution)).documents if not one.identical]


def ids(content):
    return {item.id for item in iter_items(content)}


def shuffled(seed):
    order = [name for name in BRIEFS for _ in range(CALLS)]
    random.Random(seed).shuffle(order)
    return order


ORDERS = {
    "one by one": [name for name in BRIEFS for _ in range(CALLS)],
    "in turn": list(BRIEFS) * CALLS,
    "two end while one asks": ["clinic", *["workshop"] * CALLS, *["food bank"] * CALLS],
    **{f"shuffled {seed}": shuffled(seed) for seed in range(5)},
}


@pytest.mark.parametrize("before", [False, True], ids=["empty project", "second versions"])
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
async def test_each_makes_what_it_would_have_made_alone(house, order, before):
    house.llm, alone = Offline(), {}
    for project in ("shared", *BRIEFS):
        if before:
            await run(house, "workshop", project)
    for name in BRIEFS:
        alone[name] = await made(house, await run(house, name, project=name))
    beside = await side_by_side(house, "shared", order)
    assert {name: await outcome(house, one) for name, one in beside.items()} == dict.fromkeys(beside, ("completed", []))
    assert {name: await made(house, one) for name, one in beside.items()} == alone
    assert [await differing(house, one) for one in beside.values()] == [[], [], []]


async def test_a_reply_that_was_paid_is_good_also_when_others_have_given_numbers_meanwhile(house):
    execution = await start(house, "clinic", "shared")
    await lose(house, execution, "architecture-doc")
    await run(house, "workshop", "shared")
    house.llm = Offline()
    await house.runner.run(HandSegment(house, execution, 1))
    assert await outcome(house, execution) == ("completed", [])
    assert house.llm.asked == ["strategy-review"]
    assert await differing(house, execution) == []


async def test_what_one_has_given_itself_under_an_older_program_is_not_what_it_found(house):
    house.llm = Offline()
    await run(house, "workshop", "shared")
    execution = await start(house, "clinic", "shared")
    await lose(house, execution, "architecture-doc")
    async with house.database.engine.begin() as connection:
        nothing = {"previous_ids": None, "used_before": sa.null()}
        await connection.execute(sa.update(executions).where(executions.c.id == execution).values(nothing))
    await house.runner.run(HandSegment(house, execution, 1))
    assert await outcome(house, execution) == ("completed", [])
    assert await differing(house, execution) == []


async def test_one_that_waited_for_a_person_goes_on_as_it_began(house):
    house.llm, waiting = Offline(), {}
    for project in ("shared", "alone"):
        waiting[project] = await start(house, "food bank", project, ask=True)
        assert (await house.run()).status == "waiting_for_answers"
    await run(house, "workshop", "shared")
    for execution in waiting.values():
        await house.service.answer(execution, {}, decide_rest=True)
        assert (await house.run()).status == "completed"
    assert await made(house, waiting["shared"]) == await made(house, waiting["alone"])
    assert await differing(house, waiting["shared"]) == []


async def test_a_fork_follows_its_source_and_not_one_that_ran_beside_it(house):
    beside = await side_by_side(house, "shared", ["clinic", *["workshop"] * CALLS])
    follower = await side_by_side(house, "other", ["workshop", *["clinic"] * CALLS])
    for source in (beside["clinic"], beside["workshop"], follower["clinic"], follower["workshop"]):
        fork = str(await house.service.fork(source, ForkExecution("architecture")))
        await house.run()
        assert await outcome(house, fork) == ("completed", [])
        old, new = await made(house, source), await made(house, fork)
        assert new["architecture-doc"] == old["architecture-doc"]
        assert await differing(house, fork) == []


async def test_a_fork_of_one_that_never_counted_follows_what_that_one_followed(house):
    source = await start(house, "clinic", "shared")
    await lose(house, source, "architecture-doc")
    await house.service.cancel(source)
    neighbour = await run(house, "workshop", "shared")
    fork = str(await house.service.fork(source, ForkExecution("architecture")))
    await house.run()
    assert await outcome(house, fork) == ("completed", [])
    of_neighbour = ids((await made(house, neighbour))["architecture-doc"])
    assert of_neighbour.isdisjoint(ids((await made(house, fork))["architecture-doc"]))

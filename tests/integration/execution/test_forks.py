"""Forks: what is taken over, what runs anew, and what counts afterwards."""

from decimal import Decimal

import bakery
import pytest

from combine.documents.statuses import DecisionAction
from combine.errors import Conflict, Invalid, NotFound, PermanentLLMError
from combine.services.commands import ForkExecution
from combine.storage.core.visibility import EVERYTHING
from combine.storage.documents import Documents
from combine.workflows.definitions import definition_from_json, definition_to_json

ANSWERED = {"answers": {"Q-1": "Offer the next free day."}}


def asked(house):
    return [request.schema_name for request in house.llm.seen]


async def active(house, project_id):
    async with house.database.read() as session:
        rows = await Documents(session).list(EVERYTHING, project_id=project_id, status="active")
    return sorted((row.type, row.version) for row in rows if row.type != "brief")


async def test_a_fork_takes_over_what_stands_before_its_step_without_a_call(house):
    source = await house.start(**ANSWERED)
    before = await house.run()
    house.says(bakery.script())
    fork = str(await house.service.fork(source, ForkExecution("architecture")))
    row = await house.run()
    assert (row.status, row.forked_from) == ("completed", before.id)
    assert asked(house) == ["architecture-doc", "strategy-review"]
    old, new = await house.steps(source), await house.steps(fork)
    same = [step for step in new if new[step].document_id == old[step].document_id]
    assert same == ["discovery", "requirements"]
    assert [one.id for one in await house.questions(fork)] == ["Q-1"]
    event = (await house.events(fork))[0]
    assert (event.kind, event.data["execution_id"], event.data["from_step"]) == ("forked_from", source, "architecture")
    assert event.data["taken_over"] == {step: str(old[step].document_id) for step in same}
    assert await active(house, row.project_id) == [
        ("architecture-doc", 2),
        ("project-discovery", 1),
        ("requirements-doc", 1),
        ("strategy-review", 2),
    ]


async def test_the_steps_that_run_anew_read_the_documents_of_the_source(house):
    source = await house.start(**ANSWERED)
    await house.run()
    house.says(bakery.script())
    fork = str(await house.service.fork(source, ForkExecution("requirements")))
    await house.run()
    old, new = await house.steps(source), await house.steps(fork)
    async with house.database.read() as session:
        made = await Documents(session).get(new["requirements"].document_id)
    assert old["discovery"].document_id in made.input_ids
    assert made.execution_id != (await house.row(source)).id


async def test_a_fork_at_the_first_step_asks_again_and_takes_the_same_answers(house):
    source = await house.start()
    await house.run()
    await house.service.answer(source, {"Q-1": "Offer the next free day."})
    await house.run()
    house.says(bakery.script())
    fork = str(await house.service.fork(source, ForkExecution("discovery")))
    assert (await house.run()).status == "completed"
    assert [one.answer for one in await house.questions(fork)] == ["Offer the next free day."]


@pytest.mark.parametrize("end", ["failed", "cancelled", "waiting"])
async def test_an_execution_that_stopped_can_be_forked(house, end):
    architecture = [PermanentLLMError("No.")] if end != "waiting" else ["no JSON"]
    house.says(bakery.script(architecture_doc=architecture))
    source = await house.start(**ANSWERED)
    row = await house.run()
    if end == "cancelled":
        await house.service.cancel(source)
    house.says(bakery.script())
    await house.service.fork(source, ForkExecution("architecture"))
    assert (await house.run()).status == "completed"
    assert asked(house) == ["architecture-doc", "strategy-review"]
    assert [version for _, version in await active(house, row.project_id)] == [1, 1, 1, 1]


async def test_a_revision_of_what_was_taken_over_leaves_the_source_what_counts_until_the_fork_ends(house):
    source = await house.start(**ANSWERED)
    await house.run()
    house.says(
        bakery.script(
            strategy_review=[bakery.reply(bakery.rejecting_review()), PermanentLLMError("No.")],
        )
    )
    fork = str(await house.service.fork(source, ForkExecution("review")))
    row = await house.run()
    assert row.status == "failed"
    assert [version for _, version in await active(house, row.project_id)] == [1, 1, 1, 1]
    house.says(bakery.script())
    await house.service.resume(fork)
    assert (await house.run()).status == "completed"
    assert dict(await active(house, row.project_id))["requirements-doc"] == 2


async def test_what_waits_for_a_person_is_made_anew(house):
    plain, house.catalog = house.catalog, Gated(house.catalog)
    house.says(bakery.script())
    source = await house.start(**ANSWERED)
    assert (await house.run()).status == "waiting_for_acceptance"
    await house.service.fork(source, ForkExecution("review"))
    assert (await house.run()).status == "waiting_for_acceptance"
    assert {request.schema_name for request in house.llm.seen} == {"project-discovery"}
    house.catalog = plain


class Gated:
    """The catalog with a gate after the first step."""

    def __init__(self, catalog):
        self.catalog = catalog

    def __getattr__(self, name):
        return getattr(self.catalog, name)

    def workflow(self, workflow_id):
        raw = definition_to_json(self.catalog.workflow(workflow_id))
        raw["steps"][0]["requires_acceptance"] = True
        return definition_from_json(raw)


async def test_what_cannot_be_forked(house):
    source = await house.start(**ANSWERED)
    with pytest.raises(Conflict) as running:
        await house.service.fork(source, ForkExecution("review"))
    assert running.value.code == "still_running"
    await house.run()
    with pytest.raises(NotFound) as strange:
        await house.service.fork(source, ForkExecution("polish"))
    assert "discovery, requirements, architecture, review" in strange.value.hint
    with pytest.raises(Invalid) as money:
        await house.service.fork(source, ForkExecution("review", "openai:nobody", Decimal(1)))
    assert money.value.code == "price_unknown"


async def test_a_fork_keeps_the_cap_of_its_source_and_may_have_another_model(house):
    source = await house.start(**ANSWERED, model="claude-sonnet-5-5", budget_usd=Decimal(9))
    await house.service.decide(source, DecisionAction.CANCEL)
    same = await house.row(await house.service.fork(source, ForkExecution("discovery")))
    assert (str(same.model), same.budget_usd) == ("anthropic:claude-sonnet-5-5", Decimal(9))
    house.queue.clear()
    await house.service.cancel(str(same.id))
    other = await house.row(await house.service.fork(source, ForkExecution("discovery", "claude-opus-4-5", Decimal(2))))
    assert (str(other.model), other.budget_usd) == ("anthropic:claude-opus-4-5", Decimal(2))

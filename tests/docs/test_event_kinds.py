"""docs/reference/events.md names every kind of event with its data, as scenarios of each kind write them."""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import bakery
import pytest
from house import HandSegment, House, ProviderByName, WithFallback
from ledger import unknown_call

from combine.auth.permissions import OPERATOR
from combine.documents.statuses import DecisionAction
from combine.errors import PermanentLLMError, TransientLLMError
from combine.execution.telemetry import Telemetry
from combine.llm.pricing import ModelPrice, Pricing
from combine.llm.protocol import Progress
from combine.services.commands import ForkExecution
from combine.services.settling import SettlingService
from combine.workflows.catalog import load_catalog
from combine.workflows.definitions import definition_from_json, definition_to_json

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "events.md"
ANSWERED = {"answers": {"Q-1": "Offer the next free day."}}


def documented():
    rows = re.findall(r"^\| `(\w+)` \|(.*?)\| ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {kind: frozenset(re.findall(r"`(\w+)`", data)) for kind, data in rows}


@pytest.fixture
def house(database):
    return House(database, load_catalog(None))


async def test_the_page_names_every_kind_with_its_data(house):
    seen = set()
    for scenario in (
        asks_and_completes,
        mends_revises_and_asks_a_person,
        provider_trouble,
        fallback,
        gate,
        money,
        unpriced,
        cancelled,
        forked,
        settled,
    ):
        execution = await scenario(house)
        seen |= {(event.kind, frozenset(event.data)) for event in await house.events(execution)}
    assert seen == set(documented().items())


async def asks_and_completes(house):
    execution = await house.start()
    await house.run()
    await house.service.answer(execution, {"Q-1": "Offer the next free day."})
    await house.run()
    async with Telemetry(house.database, every_s=0.01).call(UUID(execution), "review") as on_progress:
        on_progress(Progress(output_tokens=7))
        while (await house.events(execution))[-1].kind != "call_progress":
            await asyncio.sleep(0.005)
    return execution


async def mends_revises_and_asks_a_person(house):
    invented = bakery.document("requirements-doc")
    invented["functional_requirements"][0]["sources"][0]["quote"] = "words that nobody has ever written"
    requirements = [bakery.reply(invented), bakery.reply(bakery.document("requirements-doc"))]
    review = [bakery.reply(bakery.rejecting_review())]
    house.says(bakery.script(requirements_doc=requirements, strategy_review=review))
    execution = await house.start(**ANSWERED, project="revised")
    assert (await house.run()).status == "waiting_for_decision"
    await house.service.decide(execution, DecisionAction.ACCEPT_ANYWAY)
    await house.run()
    return execution


async def provider_trouble(house):
    house.says(bakery.script(requirements_doc=[TransientLLMError("Down."), PermanentLLMError("No.")]))
    execution = await house.start(**ANSWERED, project="troubled")
    assert (await house.run()).status == "waiting_for_provider"
    assert await house.release_due(datetime.now(UTC) + timedelta(hours=1)) == 1
    assert (await house.run()).status == "failed"
    await house.service.resume(execution)
    return execution


async def fallback(house):
    plain, house.catalog = house.catalog, WithFallback(house.catalog, "openai:spare")
    house.llm = ProviderByName({"openai": bakery.script(), "scripted": TransientLLMError("Down.")})
    execution = await house.start(**ANSWERED, project="replaced")
    assert (await house.run()).status == "completed"
    house.catalog = plain
    return execution


@dataclass
class Gated:
    """The catalog, with a gate behind discovery."""

    catalog: object

    def __getattr__(self, name):
        return getattr(self.catalog, name)

    def workflow(self, workflow_id):
        raw = definition_to_json(self.catalog.workflow(workflow_id))
        raw["steps"][0]["requires_acceptance"] = True
        return definition_from_json(raw)


async def gate(house):
    plain, house.catalog = house.catalog, Gated(house.catalog)
    house.says(bakery.script())
    execution = await house.start(**ANSWERED, project="gated")
    await house.run()
    await house.service.reject(execution, "Say who bakes.")
    assert (await house.run()).status == "waiting_for_acceptance"
    await house.service.accept(execution)
    house.catalog = plain
    return execution


async def money(house):
    pricing, house.pricing = house.pricing, Pricing({"scripted": ModelPrice(Decimal(100), Decimal(1000))})
    execution = await house.start(**ANSWERED, project="poor", budget_usd=Decimal(1))
    assert (await house.run()).status == "waiting_for_budget"
    house.pricing = pricing
    return execution


async def unpriced(house):
    execution = await house.start(project="unpriced", model="openai:nobody-knows", allow_unpriced=True)
    house.queue.clear()
    return execution


async def forked(house):
    return str(await house.service.fork(await cancelled(house), ForkExecution("review")))


async def cancelled(house):
    execution = await house.start(project="ended")
    await house.service.cancel(execution)
    return execution


async def settled(house):
    execution = await house.start(project="settled")
    call = await unknown_call(house.database, execution)
    await SettlingService(house.database, actor=OPERATOR).settle(execution, str(call), Decimal("0.1"))
    house.queue.clear()
    return execution


async def test_a_process_that_stops_hands_back_with_an_event(house):
    execution = await house.start(project="handed-back")
    _, round_ = house.queue.pop()
    await house.runner.run(HandSegment(house, (await house.row(execution)).id, round_, draining=True))
    last = (await house.events(execution))[-1]
    assert (last.kind, set(last.data)) == ("execution_queued", {"reason", "reason_code"})

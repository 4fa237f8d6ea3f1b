"""Estimates: from the prompts where there is no history, from the ledger where there is."""

from decimal import Decimal

import bakery
import pytest

from combine.auth.permissions import OPERATOR
from combine.brief.reading import split_brief
from combine.errors import Invalid
from combine.llm.pricing import ModelPrice, Pricing
from combine.services.estimates import EstimateService

ANSWERED = {"answers": {"Q-1": "Offer the next free day."}}
PRICED = Pricing({"scripted": ModelPrice(Decimal(3), Decimal(15))})
WORKFLOW = "strategy-document"


@pytest.fixture
def estimates(house):
    house.pricing = PRICED
    return EstimateService(house.database, house.catalog, PRICED, 32_000, actor=OPERATOR)


def calls_of(estimate):
    return (
        estimate.input_tokens.low,
        estimate.input_tokens.high,
        estimate.output_tokens.low,
        estimate.output_tokens.high,
    )


async def test_without_history_it_grows_with_the_brief_and_says_what_it_takes(estimates):
    short = await estimates.estimate(split_brief("We bake cakes."), WORKFLOW, "scripted")
    long = await estimates.estimate(split_brief("We bake cakes. " * 2000), WORKFLOW, "scripted")
    assert (short.earlier_executions, short.characters_per_token) == (0, (4.0, 2.5))
    # 30,000 characters more in each of four prompts.
    assert long.input_tokens.low - short.input_tokens.low >= 4 * 30_000 / 4
    assert long.input_tokens.high - short.input_tokens.high >= 2 * 4 * 30_000 / 2.5
    assert long.output_tokens == short.output_tokens
    for one in (short, long):
        assert one.usd.low == (3 * one.input_tokens.low + 15 * one.output_tokens.low) / Decimal(1_000_000)
        assert one.usd.low < one.usd.high


async def test_with_history_it_is_the_median_and_the_highest_of_each_step(house, estimates):
    brief = split_brief(bakery.BRIEF)
    sums = []
    for n in range(3):
        remediated = [bakery.reply(bakery.document("requirements-doc"))]
        house.says(bakery.script(requirements_doc=[*["{}"] * min(n, 1), *remediated]))
        execution = await house.start(**ANSWERED, project=f"bakery {n}")
        assert (await house.run()).status == "completed"
        calls = await house.calls(execution)
        sums.append((sum(call.input_tokens for call in calls), sum(call.output_tokens for call in calls)))
    found = await estimates.estimate(brief, WORKFLOW, "scripted")
    assert (found.earlier_executions, found.characters_per_token) == (3, None)
    # Two of three were mended once, in one step, so the median and the highest are theirs.
    assert found.input_tokens.high == max(total for total, _ in sums)
    assert found.output_tokens.high == max(total for _, total in sums)
    assert calls_of(found)[0] > min(total for total, _ in sums)
    other = await estimates.estimate(brief, WORKFLOW, "openai:nobody-knows")
    assert (other.earlier_executions, other.usd) == (0, None)


async def test_offline_uses_no_model(estimates):
    found = await estimates.estimate(split_brief(bakery.BRIEF), WORKFLOW, "offline")
    assert (found.uses_model, found.usd.high, calls_of(found)) == (False, 0, (0, 0, 0, 0))


async def test_an_unknown_model_is_refused(estimates):
    with pytest.raises(Invalid):
        await estimates.estimate(split_brief(bakery.BRIEF), WORKFLOW, "nobody:nothing")

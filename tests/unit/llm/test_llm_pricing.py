from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from combine.llm.pricing import ModelPrice, Pricing
from combine.llm.protocol import Price
from combine.records import Usage
from combine.workflows.models import ModelRef

SONNET = ModelRef("anthropic", "claude-sonnet-5-5")
MILLION = 1_000_000


def test_the_list_prices_each_kind_of_token():
    pricing = Pricing({})

    def usd(**tokens):
        return pricing.price(SONNET, Usage(**tokens)).usd

    assert usd(input_tokens=MILLION) == Decimal(2)
    assert usd(output_tokens=MILLION) == Decimal(10)
    assert usd(cache_read_tokens=MILLION) == Decimal("0.10")
    assert usd(cache_write_tokens=MILLION) == Decimal("2.50")


def test_the_source_names_the_list_and_its_version():
    assert Pricing({}).price(SONNET, Usage(1, 1)).source.startswith("genai-prices ")


@pytest.mark.parametrize("ref", [ModelRef("anthropic", "claude-unheard-of"), ModelRef("openai", "my-finetune")])
def test_an_unknown_price_is_none_and_never_zero(ref):
    assert Pricing({}).price(ref, Usage(1000, 1000)) == Price(None, "unknown")
    assert Pricing({}).worst_case(ref, 1000, 1000) == Price(None, "unknown")


@pytest.mark.parametrize("name", ["offline", "scripted"])
def test_without_a_model_it_is_free(name):
    assert Pricing({}).price(ModelRef(name, ""), Usage(1000, 1000)) == Price(Decimal(0), "free")


def test_a_known_name_on_an_unknown_server_has_no_price():
    ref = ModelRef("openai", "gpt-4o")
    local = Pricing({}, openai_base_url="http://127.0.0.1:11434/v1")
    assert local.price(ref, Usage(1000, 1000)).usd is None
    for url in (None, "https://api.openai.com/v1"):
        assert Pricing({}, openai_base_url=url).price(ref, Usage(1000, 1000)).usd > 0


@pytest.mark.parametrize("key", ["openai:qwen:7b", "qwen:7b"])
def test_an_override_wins_under_either_name(key):
    price = ModelPrice(Decimal(1), Decimal(4), cache_read=Decimal("0.5"))
    ref = ModelRef("openai", "qwen:7b")
    found = Pricing({key: price}).price(ref, Usage(MILLION, MILLION, MILLION, MILLION))
    assert found == Price(Decimal("6.5"), "settings")


prices = st.decimals(min_value=0, max_value=100, places=3)
usages = st.builds(Usage, *[st.integers(0, 10**7)] * 4)


@given(st.builds(ModelPrice, prices, prices, st.none() | prices, st.none() | prices), usages, usages)
def test_costs_add_up(price, one, other):
    assert price.of(one) + price.of(other) == price.of(one + other)


@given(st.integers(1, 400_000), st.integers(0, 32_000), st.floats(2.0, 5.0))
def test_no_call_within_the_stated_density_costs_more_than_the_worst_case(characters, output, density):
    pricing = Pricing({})
    tokens = int(characters / density)
    reserved = pricing.worst_case(SONNET, characters, 32_000).usd
    for usage in (Usage(tokens, output), Usage(0, output, 0, tokens), Usage(0, output, tokens)):
        assert pricing.price(SONNET, usage).usd <= reserved

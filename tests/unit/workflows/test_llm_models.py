from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from combine.errors import Invalid
from combine.workflows.models import PROVIDERS, RETIREMENTS, ModelRef, parse_model

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("text", "ref", "shown"),
    [
        ("claude-sonnet-5-5", ModelRef("anthropic", "claude-sonnet-5-5"), "anthropic:claude-sonnet-5-5"),
        ("anthropic:claude-haiku-5-5", ModelRef("anthropic", "claude-haiku-5-5"), "anthropic:claude-haiku-5-5"),
        ("  Anthropic:claude-haiku-5-5\n", ModelRef("anthropic", "claude-haiku-5-5"), "anthropic:claude-haiku-5-5"),
        ("openai:qwen2.5:7b", ModelRef("openai", "qwen2.5:7b"), "openai:qwen2.5:7b"),
        ("openai:org/Model", ModelRef("openai", "org/Model"), "openai:org/Model"),
        ("offline", ModelRef("offline", ""), "offline"),
        ("Offline", ModelRef("offline", ""), "offline"),
        ("offline:", ModelRef("offline", ""), "offline"),
        ("scripted", ModelRef("scripted", ""), "scripted"),
    ],
)
def test_a_model_is_read_as_people_write_it(text, ref, shown):
    assert parse_model(text, today=TODAY) == (ref, None)
    assert str(ref) == shown


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "model_missing"),
        ("   ", "model_missing"),
        ("anthropic", "model_missing"),
        ("anthropic:", "model_missing"),
        ("OpenAI", "model_missing"),
        ("ollama:llama3", "provider_unknown"),
        (":model", "provider_unknown"),
        ("offline:gpt", "model_unexpected"),
        ("claude sonnet", "model_malformed"),
    ],
)
def test_what_is_no_model_is_refused_with_the_next_step(text, code):
    with pytest.raises(Invalid) as caught:
        parse_model(text, today=TODAY)
    assert caught.value.code == code
    assert caught.value.hint


def test_an_unknown_provider_is_told_how_compatible_servers_are_reached():
    with pytest.raises(Invalid) as caught:
        parse_model("ollama:llama3")
    assert "COMBINE_OPENAI_BASE_URL" in caught.value.hint


def test_a_bare_foreign_id_is_taken_as_anthropic_with_a_warning():
    ref, warning = parse_model("gpt-5")
    assert ref == ModelRef("anthropic", "gpt-5")
    assert "openai:gpt-5" in warning


def test_the_retired_default_of_old_plans_becomes_its_successor():
    ref, warning = parse_model("claude-sonnet-4-20250514", today=TODAY)
    assert ref == ModelRef("anthropic", "claude-sonnet-5-5")
    assert "retired on 2026-06-15" in warning
    assert "claude-sonnet-5-5 is used instead" in warning


def test_a_model_that_will_retire_still_answers_until_its_day():
    before = parse_model("anthropic:claude-sonnet-4-5", today=date(2026, 11, 29))
    assert before[0].model == "claude-sonnet-4-5"
    assert "will be retired on 2026-11-30" in before[1]
    assert parse_model("claude-sonnet-4-5", today=date(2026, 11, 30))[0].model == "claude-sonnet-5-5"


def test_another_providers_model_of_a_retired_name_is_left_alone():
    assert parse_model("openai:claude-2.1", today=TODAY) == (ModelRef("openai", "claude-2.1"), None)


def test_no_successor_is_itself_retired():
    assert not {one.successor for one in RETIREMENTS.values()} & RETIREMENTS.keys()


def test_the_table_knows_what_the_sdk_knows():
    from anthropic.resources.messages.messages import DEPRECATED_MODELS  # noqa: PLC0415

    def day(text):
        month, number, year = text.replace(",", "").split()
        digits = "".join(character for character in number if character.isdigit())
        return datetime.strptime(f"{month} {digits} {year}", "%B %d %Y").date()  # noqa: DTZ007

    assert {name: day(text) for name, text in DEPRECATED_MODELS.items()}.items() <= {
        name: one.day for name, one in RETIREMENTS.items()
    }.items()


@given(st.sampled_from(PROVIDERS), st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1))
def test_what_a_reference_prints_reads_back_as_itself(provider, model):
    ref = ModelRef(provider, "" if provider in {"offline", "scripted"} else model)
    if ref.model not in RETIREMENTS:
        assert parse_model(str(ref))[0] == ref

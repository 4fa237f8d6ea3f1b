from pathlib import Path

import pytest
from pydantic import SecretStr

from combine.errors import Invalid, PermanentLLMError
from combine.llm.factory import LLMConfig, ProviderFactory
from combine.workflows.models import ModelRef

ANTHROPIC = ModelRef("anthropic", "claude-sonnet-5-5")
OPENAI = ModelRef("openai", "gpt-5")


@pytest.mark.parametrize(("ref", "variable"), [(ANTHROPIC, "ANTHROPIC_API_KEY"), (OPENAI, "OPENAI_API_KEY")])
@pytest.mark.parametrize("key", [None, SecretStr(" ")])
def test_a_missing_key_is_said_with_both_ways_out(ref, variable, key):
    with pytest.raises(PermanentLLMError) as caught:
        ProviderFactory(LLMConfig(anthropic_api_key=key, openai_api_key=key)).provider(ref)
    assert caught.value.code == "api_key_missing"
    assert variable in caught.value.hint
    assert "--model offline" in caught.value.hint


async def test_a_local_server_needs_no_key():
    factory = ProviderFactory(LLMConfig(openai_base_url="http://127.0.0.1:11434/v1"))
    assert factory.provider(OPENAI).name == "openai"
    await factory.close()


async def test_a_provider_is_built_once_for_all_its_models():
    factory = ProviderFactory(LLMConfig(anthropic_api_key=SecretStr("k")))
    first = factory.provider(ANTHROPIC)
    assert factory.provider(ModelRef("anthropic", "claude-haiku-5-5")) is first
    await factory.close()
    assert factory.provider(ANTHROPIC) is not first
    await factory.close()


@pytest.mark.parametrize("url", ["ftp://host", "host:8080", "http://", "http://h:99999", "not a url"])
@pytest.mark.parametrize("ref", [ANTHROPIC, OPENAI])
def test_a_base_url_that_cannot_work_is_refused_before_any_call(ref, url):
    key = SecretStr("sk-very-secret")
    config = LLMConfig(anthropic_api_key=key, openai_api_key=key, anthropic_base_url=url, openai_base_url=url)
    with pytest.raises(PermanentLLMError) as caught:
        ProviderFactory(config).provider(ref)
    assert caught.value.code == "base_url_invalid"
    assert f"{ref.provider.upper()}_BASE_URL" in caught.value.hint


def test_the_scripted_provider_wants_its_file():
    with pytest.raises(PermanentLLMError) as caught:
        ProviderFactory(LLMConfig()).provider(ModelRef("scripted", ""))
    assert caught.value.code == "script_missing"
    with pytest.raises(Invalid):
        ProviderFactory(LLMConfig(scripted_file=Path("/nowhere.yaml"))).provider(ModelRef("scripted", ""))


def test_an_unknown_provider_is_refused():
    with pytest.raises(Invalid):
        ProviderFactory(LLMConfig()).provider(ModelRef("bedrock", "x"))


def test_no_key_shows_in_the_configuration():
    assert "very-secret" not in repr(LLMConfig(anthropic_api_key=SecretStr("sk-very-secret")))

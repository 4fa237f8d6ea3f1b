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


@pytest.mark.parametrize("ref", [ANTHROPIC, OPENAI])
@pytest.mark.parametrize("key", ["\ufeffsk-a", '"sk-a"', "'sk-a'\n", " `sk-a` ", "sk-a\r\n"])
async def test_what_is_pasted_around_a_key_is_dropped(ref, key):
    factory = ProviderFactory(LLMConfig(anthropic_api_key=SecretStr(key), openai_api_key=SecretStr(key)))
    assert factory.provider(ref)._client.api_key == "sk-a"
    await factory.close()


@pytest.mark.parametrize("ref", [ANTHROPIC, OPENAI])
@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("\u201csk-secret\u201d", "U+201C at position 1"),
        ("sk-secret\nb", "U+000A at position 10"),
        ("sk-secret b", "U+0020 at position 10"),
        ("sk-secret\u200b", "U+200B at position 10"),
        ("sk-secr\xe9t", "U+00E9 at position 8"),
    ],
)
def test_a_character_that_no_key_has_is_named_with_its_place(ref, key, place):
    with pytest.raises(PermanentLLMError) as caught:
        ProviderFactory(LLMConfig(anthropic_api_key=SecretStr(key), openai_api_key=SecretStr(key))).provider(ref)
    assert caught.value.code == "api_key_invalid"
    assert f"{ref.provider.upper()}_API_KEY" in caught.value.message
    assert place in caught.value.message
    assert "secr" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("variable", ["OPENAI_ORG_ID", "OPENAI_PROJECT_ID"])
def test_an_id_that_cannot_be_sent_is_named(monkeypatch, variable):
    monkeypatch.setenv(variable, "org-1\n")
    with pytest.raises(PermanentLLMError) as caught:
        ProviderFactory(LLMConfig(openai_api_key=SecretStr("sk-a"))).provider(OPENAI)
    assert caught.value.code == "api_key_invalid"
    assert variable in caught.value.message


@pytest.fixture
def no_proxies(monkeypatch):
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".upper(), raising=False)


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("ref", [ANTHROPIC, OPENAI])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("url", ["ftp://x", "http://127.0.0.1:notaport", "http://h:99999", "socks4://h:1", "http://"])
def test_a_proxy_that_cannot_be_used_is_named(monkeypatch, ref, variable, url):
    monkeypatch.setenv(variable, url)
    key = SecretStr("sk-a")
    with pytest.raises(PermanentLLMError) as caught:
        ProviderFactory(LLMConfig(anthropic_api_key=key, openai_api_key=key)).provider(ref)
    assert caught.value.code == "proxy_invalid"
    assert variable in caught.value.message


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("ref", [ANTHROPIC, OPENAI])
@pytest.mark.parametrize("url", ["socks5://127.0.0.1:18699", "socks5h://u:p@h:1", "http://h:3128", "h:3128"])
async def test_a_proxy_of_the_environment_can_be_used(monkeypatch, ref, url):
    monkeypatch.setenv("ALL_PROXY", url)
    factory = ProviderFactory(LLMConfig(anthropic_api_key=SecretStr("sk-a"), openai_api_key=SecretStr("sk-a")))
    assert factory.provider(ref).name == ref.provider
    await factory.close()

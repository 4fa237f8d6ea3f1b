import pytest
from fake_llm import FakeLLM
from repeating import Repeating

from combine.llm.anthropic import AnthropicProvider
from combine.llm.openai import OpenAIProvider
from combine.llm.protocol import LLMRequest
from combine.llm.retry import RetryPolicy

KEY = "sk-test-very-secret"
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.fixture
def request_():
    return LLMRequest(
        model="some-model",
        system="You are careful.",
        prefix="<brief>\nSell bread.\n</brief>",
        task='<task>Draft.</task>\n<output type="doc" ask="true"/>',
        schema=SCHEMA,
        schema_name="doc",
        max_output_tokens=1000,
    )


@pytest.fixture
async def fake():
    async with FakeLLM(api_key=KEY) as running:
        yield running


@pytest.fixture
async def provider_of(fake):
    """Builds a provider that talks to the fake: fast retries."""
    built = []

    def build(name, *, base_url=None, key=KEY, retries=3, read_timeout=20.0, **more):
        common = {
            "api_key": key,
            "connect_timeout": 20.0,
            "read_timeout": read_timeout,
            "policy": RetryPolicy(max_retries=retries, base_delay_s=0.01),
            **more,
        }
        if name == "anthropic":
            built.append(AnthropicProvider(base_url=base_url or fake.anthropic_url, **common))
        else:
            built.append(OpenAIProvider(base_url=base_url or fake.openai_url, **common))
        return Repeating(built[-1])

    yield build
    for one in built:
        await one.close()

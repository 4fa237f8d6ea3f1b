"""Heavy libraries are loaded when they are needed and not before."""

import subprocess
import sys

import pytest

HEAVY = ("anthropic", "openai", "genai_prices", "httpx2", "yaml")


@pytest.mark.parametrize(
    ("doing", "loaded"),
    [
        ("", set()),
        ("factory.parse_model('claude-2.1')", set()),
        ("config().pricing().price(factory.ModelRef('offline', ''), Usage(1, 1))", set()),
        ("config().pricing().price(factory.ModelRef('anthropic', 'claude-haiku-5-5'), Usage(1, 1))", {"genai_prices"}),
        ("build('anthropic')", {"anthropic", "httpx2"}),
        ("build('openai')", {"openai", "httpx2"}),
    ],
)
def test_only_what_is_used_is_loaded(doing, loaded):
    program = f"""
import sys
from pydantic import SecretStr
from combine.llm import factory
from combine.records import Usage
def config():
    return factory.LLMConfig(anthropic_api_key=SecretStr("k"), openai_api_key=SecretStr("k"))
def build(name):
    return factory.ProviderFactory(config()).provider(factory.ModelRef(name, "m"))
{doing}
print(*(name for name in {HEAVY!r} if name in sys.modules))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) - ({"httpx2"} if "genai_prices" in loaded else set()) == loaded

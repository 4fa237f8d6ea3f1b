"""``combine doctor`` shows every setting, and no secret."""

import json

import pytest

from combine.cli.doctor import settings_lines, shown_settings
from combine.settings import Settings, read_settings

PROVIDERS = {"google": {"client_id": "the-id", "client_secret": "a-secret"}}


@pytest.fixture
def shown(monkeypatch):
    for name, value in {
        "COMBINE_DATABASE_URL": "postgresql://me:a-secret@db.example.org/combine",
        "COMBINE_ANTHROPIC_API_KEY": "a-secret",
        "COMBINE_OPENAI_BASE_URL": "https://me:a-secret@llm.example.org/v1",
        "COMBINE_LLM_CONCURRENCY": '{"anthropic": 8}',
        "COMBINE_LLM_PRICES": '{"m": {"input": "0.5", "output": 1}}',
        "COMBINE_OIDC_PROVIDERS": json.dumps(PROVIDERS),
        "COMBINE_OIDC_ALLOWED_DOMAINS": "example.org, example.com",
        "COMBINE_TOKEN": "cmb_a-secret",
    }.items():
        monkeypatch.setenv(name, value)
    return shown_settings(read_settings())


def test_every_setting_is_there_and_no_secret(shown):
    assert shown.keys() == Settings.model_fields.keys()
    text = json.dumps(shown) + "\n".join(settings_lines(shown, {}))
    assert "a-secret" not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("llm_concurrency", {"anthropic": 8}),
        ("llm_prices", {"m": {"input": "0.5", "output": "1"}}),
        ("oidc_allowed_domains", "example.org, example.com"),
        ("cors_origins", None),
        ("session_idle", "12 h 0 min"),
    ],
)
def test_values_as_they_count(shown, name, value):
    assert shown[name] == value


def test_a_provider_is_shown_without_its_secret(shown):
    assert shown["oidc_providers"]["google"]["client_id"] == "the-id"

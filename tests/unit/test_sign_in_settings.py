"""The settings of sign-in: what is optional, and that all errors are reported together."""

import json
from datetime import timedelta

import pytest

from combine.errors import Invalid
from combine.settings import read_settings

GOOGLE = {"client_id": "id", "client_secret": "the-secret"}
OKTA = {**GOOGLE, "issuer": "https://login.example.org"}


@pytest.fixture
def given(monkeypatch):
    def give(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(f"COMBINE_{name}", value if isinstance(value, str) else json.dumps(value))
        return read_settings()

    return give


def test_without_any_it_is_local_mode(given):
    settings = given()
    assert settings.oidc_providers == {}
    assert settings.oidc_allowed_domains == ()
    assert settings.session_idle == timedelta(hours=12)
    assert settings.session_lifetime == timedelta(days=7)


def test_several_providers_at_once(given):
    wanted = {"google": GOOGLE, "microsoft": {**GOOGLE, "tenant": "example.org"}, "okta": OKTA, "public": dict(OKTA)}
    del wanted["public"]["client_secret"]
    settings = given(OIDC_PROVIDERS=wanted, OIDC_ALLOWED_DOMAINS="*", BOOTSTRAP_ADMIN=" Ann@Example.ORG ")
    assert list(settings.oidc_providers) == ["google", "microsoft", "okta", "public"]
    assert settings.oidc_providers["okta"].issuer == "https://login.example.org"
    assert settings.oidc_providers["public"].client_secret is None
    assert settings.bootstrap_admin == "ann@example.org"
    assert "the-secret" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "domains"),
    [
        ("example.org", ("example.org",)),
        (" Example.ORG , @example.com,", ("example.org", "example.com")),
        ('["example.org", "*"]', ("example.org", "*")),
        ("", ()),
    ],
)
def test_domains_are_a_list_with_commas_or_json(given, text, domains):
    assert given(OIDC_ALLOWED_DOMAINS=text).oidc_allowed_domains == domains


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"OIDC_PROVIDERS": "{"}, "COMBINE_OIDC_PROVIDERS"),
        ({"OIDC_PROVIDERS": "[]"}, "COMBINE_OIDC_PROVIDERS"),
        ({"OIDC_PROVIDERS": {"x": 1}}, "COMBINE_OIDC_PROVIDERS.x"),
        ({"OIDC_PROVIDERS": {"google": {**GOOGLE, "scopes": "openid"}}}, "google.scopes"),
        ({"OIDC_PROVIDERS": {"google": {**GOOGLE, "label": "x" * 41}}}, "label"),
        ({"OIDC_PROVIDERS": {"microsoft": {**GOOGLE, "tenant": "a b"}}}, "tenant"),
        ({"OIDC_PROVIDERS": {"google": {}}}, "COMBINE_OIDC_PROVIDERS.google.client_id"),
        ({"OIDC_PROVIDERS": {"google": OKTA}}, "COMBINE_OIDC_PROVIDERS.google.issuer"),
        ({"OIDC_PROVIDERS": {"google": {**GOOGLE, "tenant": "x"}}}, "COMBINE_OIDC_PROVIDERS.google.tenant"),
        (
            {"OIDC_PROVIDERS": {"google": {**GOOGLE, "name": "x"}}},
            "COMBINE_OIDC_PROVIDERS.google.name",
        ),
        ({"OIDC_PROVIDERS": {"okta": GOOGLE}}, "COMBINE_OIDC_PROVIDERS.okta.issuer"),
        ({"OIDC_PROVIDERS": {"okta": {**OKTA, "issuer": "http://x.example"}}}, "COMBINE_OIDC_PROVIDERS.okta.issuer"),
        ({"OIDC_PROVIDERS": {"okta": {**OKTA, "issuer": "https://x?y"}}}, "COMBINE_OIDC_PROVIDERS.okta.issuer"),
        ({"OIDC_PROVIDERS": {"okta": {**OKTA, "issuer": "https://x:y"}}}, "COMBINE_OIDC_PROVIDERS.okta.issuer"),
        (
            {"OIDC_PROVIDERS": {"okta": {**OKTA, "client_id": " "}}},
            "COMBINE_OIDC_PROVIDERS.okta.client_id",
        ),
        ({"OIDC_PROVIDERS": {"The Firm": OKTA}}, "COMBINE_OIDC_PROVIDERS.The Firm.(key)"),
        ({"OIDC_PROVIDERS": {"local": OKTA}}, "COMBINE_OIDC_PROVIDERS.local.(key)"),
        ({"OIDC_PROVIDERS": {"okta": OKTA}}, "COMBINE_OIDC_ALLOWED_DOMAINS"),
        (
            {"OIDC_ALLOWED_DOMAINS": "exa mple"},
            "COMBINE_OIDC_ALLOWED_DOMAINS.0",
        ),
        ({"OIDC_ALLOWED_DOMAINS": "[1]"}, "COMBINE_OIDC_ALLOWED_DOMAINS.0"),
        ({"OIDC_ALLOWED_DOMAINS": "["}, "COMBINE_OIDC_ALLOWED_DOMAINS"),
        ({"BOOTSTRAP_ADMIN": "ann"}, "COMBINE_BOOTSTRAP_ADMIN"),
        ({"SESSION_IDLE": "0"}, "COMBINE_SESSION_IDLE"),
        ({"SESSION_LIFETIME": "3600"}, "COMBINE_SESSION_LIFETIME"),
    ],
    ids=str,
)
def test_an_error_names_the_variable_and_the_place_in_it(given, variables, place):
    with pytest.raises(Invalid) as caught:
        given(**variables)
    assert f"{place}: " in caught.value.message
    assert "the-secret" not in caught.value.message


def test_all_errors_are_reported_at_once(given):
    faulty = {
        "google": {"client_secret": "the-secret", "issuer": "https://x"},
        "okta": {"client_id": "", "tenant": "x"},
    }
    with pytest.raises(Invalid) as caught:
        given(OIDC_PROVIDERS=faulty, LLM_PRICES="{", LLM_CONCURRENCY="x", BOOTSTRAP_ADMIN="x", SESSION_LIFETIME="1")
    message = caught.value.message
    for part in (
        "PROVIDERS.google.client_id",
        "PROVIDERS.google.issuer",
        "PROVIDERS.okta.client_id",
        "PROVIDERS.okta.tenant",
        "PROVIDERS.okta.issuer",
        "LLM_PRICES: ",
        "LLM_CONCURRENCY: ",
        "BOOTSTRAP_ADMIN",
        "SESSION_LIFETIME",
    ):
        assert f"COMBINE_{part}" in message or f"COMBINE_OIDC_{part}" in message
    assert "the-secret" not in message


def test_an_issuer_on_this_machine_may_be_http(given):
    settings = given(OIDC_PROVIDERS={"test": {**OKTA, "issuer": "http://localhost:9400"}}, OIDC_ALLOWED_DOMAINS="*")
    assert settings.oidc_providers["test"].issuer == "http://localhost:9400"

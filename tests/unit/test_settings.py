"""Settings are read from the environment once; all errors are reported together."""

import os
from datetime import timedelta
from decimal import Decimal

import pytest

from combine.errors import Invalid
from combine.services.amounts import MOST_USD, SMALLEST_USD
from combine.settings import Settings, read_settings, unknown_variables


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in os.environ:
        if name.startswith(("COMBINE_", "ANTHROPIC_", "OPENAI_")):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("given", "seconds"), [("90", 90), ("0.5", 0.5), ("PT1M30S", 90), ("00:01:30", 90), ("1e2", 100)]
)
def test_a_duration_is_seconds_or_iso(monkeypatch, given, seconds):
    monkeypatch.setenv("COMBINE_DRAIN_GRACE", given)
    assert read_settings().drain_grace == timedelta(seconds=seconds)


@pytest.mark.parametrize("given", ["soon", "-1", "0", "nan", "inf"])
def test_an_invalid_duration_is_refused(monkeypatch, given):
    monkeypatch.setenv("COMBINE_DRAIN_GRACE", given)
    with pytest.raises(Invalid, match="COMBINE_DRAIN_GRACE"):
        read_settings()


def test_all_errors_are_reported_at_once(monkeypatch):
    monkeypatch.setenv("COMBINE_DATABASE_POOL_SIZE", "0")
    monkeypatch.setenv("COMBINE_LOG_FORMAT", "xml")
    monkeypatch.setenv("COMBINE_LLM_PRICES", '{"m": {"input": "cheap", "output": 1}}')
    with pytest.raises(Invalid) as caught:
        read_settings()
    for part in ("COMBINE_DATABASE_POOL_SIZE", "COMBINE_LOG_FORMAT", "COMBINE_LLM_PRICES.m.input"):
        assert part in caught.value.message
    assert caught.value.code == "settings_invalid"


def test_an_error_never_shows_a_secret(monkeypatch):
    monkeypatch.setenv("COMBINE_ANTHROPIC_API_KEY", "secret-key")
    monkeypatch.setenv("COMBINE_LOG_FORMAT", "xml")
    with pytest.raises(Invalid) as caught:
        read_settings()
    assert "secret-key" not in caught.value.message
    assert "secret-key" not in repr(Settings(log_format="json"))


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "COMBINE_OPENAI_BASE_URL"])
@pytest.mark.parametrize(
    "url",
    ["http://me:a@s3cret@host/v1", "http://me:12/s3cret@host/v1", "http://s3cret:12#s3cret@host", "http:/s3@host"],
)
def test_an_unescaped_password_in_a_url_is_refused(monkeypatch, name, url):
    monkeypatch.setenv(name, url)
    with pytest.raises(Invalid, match=f"{name}: .*%40") as caught:
        read_settings()
    assert "s3" not in caught.value.message


def test_a_url_may_contain_a_user_and_password(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", " http://me:p%40ss@host:11434/v1 ")
    assert read_settings().openai_base_url == "http://me:p%40ss@host:11434/v1"


def test_the_names_of_the_sdks_work_and_ours_come_first(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "theirs")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1")
    settings = read_settings()
    assert settings.anthropic_api_key is not None
    assert settings.anthropic_api_key.get_secret_value() == "theirs"
    assert settings.openai_base_url == "http://localhost:1"
    monkeypatch.setenv("COMBINE_ANTHROPIC_API_KEY", "ours")
    ours = read_settings().anthropic_api_key
    assert ours is not None
    assert ours.get_secret_value() == "ours"


def test_an_empty_variable_counts_as_not_set(monkeypatch):
    monkeypatch.setenv("COMBINE_DATABASE_URL", "")
    assert read_settings().database_url is None


def test_prices_are_read_exactly(monkeypatch):
    monkeypatch.setenv("COMBINE_LLM_PRICES", '{"m": {"input": "0.1", "output": 1.5}}')
    assert str(read_settings().llm_prices["m"].input) == "0.1"


def test_lists_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("COMBINE_ALLOWED_HOSTS", "a.example, *.b.example,")
    assert read_settings().allowed_hosts == ("a.example", "*.b.example")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://Combine.Example.org/", "https://combine.example.org"),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_the_public_url_is_an_origin(monkeypatch, given, kept):
    monkeypatch.setenv("COMBINE_PUBLIC_URL", given)
    assert read_settings().public_url == kept


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PUBLIC_URL", "combine.example.org"),
        ("PUBLIC_URL", "https://example.org/combine"),
        ("PUBLIC_URL", "https://user:word@example.org"),
        ("PUBLIC_URL", "ftp://example.org"),
        ("PUBLIC_URL", "https://example.org:http"),
        ("CORS_ORIGINS", "*"),
        ("RATE_LIMIT_STARTS", "many"),
        ("RATE_LIMIT_TOKENS", "0/hour"),
        ("PORT", "70000"),
        ("MAX_BODY_BYTES", "1"),
    ],
)
def test_errors_in_settings_of_the_server(monkeypatch, variable, value):
    monkeypatch.setenv(f"COMBINE_{variable}", value)
    with pytest.raises(Invalid, match=f"COMBINE_{variable}"):
        read_settings()


@pytest.mark.parametrize(
    ("variable", "value", "place"),
    [
        ("ALLOWED_HOSTS", "localhost, http://x", ".1"),
        ("ALLOWED_HOSTS", "example.org:8765", ".0"),
        ("ALLOWED_HOSTS", "exam ple.org", ".0"),
        ("TRUSTED_PROXIES", "me", ".0"),
        ("TRUSTED_PROXIES", "*", ".0"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, 10.0.0.5/8", ".1"),
        ("LLM_PRICES", '{"m": {"input": 1e300, "output": 1}}', ".m.input"),
        ("LLM_PRICES", '{"m": {"input": -1, "output": 1}}', ".m.input"),
        ("LLM_PRICES", '{"m": {"input": NaN, "output": 1}}', ".m.input"),
        ("LLM_PRICES", '{"m": 1}', ".m"),
        ("SESSION_IDLE", "0", ""),
        ("DATABASE_POOL_SIZE", "1.5", ""),
        ("DATABASE_POOL_SIZE", "0", ""),
        ("LLM_MAX_RETRIES", "11", ""),
        ("LOG_FORMAT", "xml", ""),
        ("ENABLE_METRICS", "maybe", ""),
        ("RATE_LIMIT_STARTS", "x", ""),
        ("BOOTSTRAP_ADMIN", "ada", ""),
        ("OIDC_ALLOWED_DOMAINS", "a b", ".0"),
        ("DAILY_BUDGET_USD", "1.0000001", ""),
    ],
)
def test_an_error_names_the_variable_and_the_place_in_it(monkeypatch, variable, value, place):
    monkeypatch.setenv(f"COMBINE_{variable}", value)
    with pytest.raises(Invalid) as caught:
        read_settings()
    assert caught.value.code == "settings_invalid"
    assert f"\n  COMBINE_{variable}{place}: " in caught.value.message


@pytest.mark.parametrize(
    ("variable", "value", "example"),
    [
        ("ALLOWED_HOSTS", "http://x", "combine.example.org"),
        ("TRUSTED_PROXIES", "me", "10.0.0.0/8"),
        ("DRAIN_GRACE", "soon", "PT5M"),
        ("RATE_LIMIT_STARTS", "x", "60/minute"),
        ("BOOTSTRAP_ADMIN", "ada", "ada@example.org"),
        ("OIDC_ALLOWED_DOMAINS", "a b", "example.org"),
    ],
)
def test_an_error_shows_an_example_of_a_format_of_ours(monkeypatch, variable, value, example):
    monkeypatch.setenv(f"COMBINE_{variable}", value)
    with pytest.raises(Invalid) as caught:
        read_settings()
    assert example in caught.value.message


def test_hosts_and_proxies(monkeypatch):
    monkeypatch.setenv("COMBINE_ALLOWED_HOSTS", "localhost, *.Example.org, 10.0.0.1, [::1], ::1, my_host")
    monkeypatch.setenv("COMBINE_TRUSTED_PROXIES", "10.0.0.5, 10.0.0.0/8, ::1, fd00::/8")
    settings = read_settings()
    assert settings.allowed_hosts == ("localhost", "*.Example.org", "10.0.0.1", "::1", "::1", "my_host")
    assert settings.trusted_proxies == ("10.0.0.5", "10.0.0.0/8", "::1", "fd00::/8")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("COMBINE_DATABSE_URL", "COMBINE_DATABASE_URL"),
        ("COMBINE_DB_URL", "COMBINE_DATABASE_URL"),
        ("COMBINE_DAILY_BUDGET", "COMBINE_DAILY_BUDGET_USD"),
        ("COMBINE_OIDC_ALLOWED_DOMAIN", "COMBINE_OIDC_ALLOWED_DOMAINS"),
        ("COMBINE_ANTHROPIC_KEY", "COMBINE_ANTHROPIC_API_KEY"),
        ("combine_tokn", "COMBINE_TOKEN"),
        ("COMBINE_HTTP_PORT", "COMBINE_PORT"),
        ("COMBINE_COLOUR", None),
        ("COMBINE_", None),
    ],
)
def test_an_unknown_variable_is_reported_with_the_most_similar_setting(name, near):
    assert unknown_variables({name: "x", "PATH": "/bin", "COMBINED": "x"}) == {name: near}


def test_variables_of_settings_and_other_programs_are_known():
    names = [f"COMBINE_{name.upper()}" for name in Settings.model_fields]
    names += ["combine_port", "COMBINE_SMOKE_URL", "COMBINE_SMOKE_TOKEN", "COMBINE_SMOKE_VERSION", "OPENAI_API_KEY"]
    names += ["COMBINE_SERVICE_HOST", "COMBINE_SERVICE_PORT_HTTP", "COMBINE_PORT_80_TCP_ADDR", "_COMBINE_COMPLETE"]
    assert unknown_variables(dict.fromkeys(names, "x") | {"COMBINE_DATABSE_URL": ""}) == {}


@pytest.mark.parametrize("service", ["COMBINE", "COMBINE_DB", "COMBINE_POSTGRESQL_HL"])
def test_variables_of_kubernetes_services_are_known(service):
    told = {"SERVICE_HOST": "10.0.0.7", "SERVICE_PORT": "5432", "SERVICE_PORT_TCP_SQL": "5432"}
    told |= {"PORT": "tcp://10.0.0.7:5432", "PORT_5432_TCP": "tcp://10.0.0.7:5432", "PORT_5432_TCP_ADDR": "10.0.0.7"}
    assert unknown_variables({f"{service}_{ending}": value for ending, value in told.items()}) == {}


def test_an_error_caused_by_a_misspelt_variable_names_it(monkeypatch):
    monkeypatch.setenv("COMBINE_OIDC_PROVIDERS", '{"google": {"client_id": "x"}}')
    monkeypatch.setenv("COMBINE_OIDC_ALLOWED_DOMAIN", "secret.example.org")
    with pytest.raises(Invalid) as caught:
        read_settings()
    [line] = [one for one in caught.value.message.splitlines() if one.startswith("  COMBINE_OIDC_ALLOWED_DOMAIN: ")]
    assert "COMBINE_OIDC_ALLOWED_DOMAINS" in line
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        "COMBINE_DATABASE_URL",
        "COMBINE_DATA_DIR",
        "COMBINE_HOST",
        "ANTHROPIC_API_KEY",
        "OPENAI_BASE_URL",
        "COMBINE_TOKEN",
    ],
)
def test_text_that_is_not_utf_8_is_refused_by_name(monkeypatch, name):
    monkeypatch.setenv(name, os.fsdecode(b"/s3cret\xff"))
    with pytest.raises(Invalid, match=f"  {name}: .*UTF-8") as caught:
        read_settings()
    assert "s3cret" not in caught.value.message


def test_a_folder_that_is_not_part_of_a_url_may_have_any_name(monkeypatch):
    monkeypatch.setenv("COMBINE_WORKFLOWS_DIR", os.fsdecode(b"/tmp/\xff"))
    assert os.fsencode(read_settings().workflows_dir) == b"/tmp/\xff"


@pytest.mark.parametrize("given", [Decimal(0), Decimal(-1), Decimal("nan"), MOST_USD + 1, SMALLEST_USD / 10])
def test_an_invalid_daily_budget_is_refused(monkeypatch, given):
    monkeypatch.setenv("COMBINE_DAILY_BUDGET_USD", str(given))
    with pytest.raises(Invalid, match="COMBINE_DAILY_BUDGET_USD"):
        read_settings()


@pytest.mark.parametrize("given", [Decimal(MOST_USD), SMALLEST_USD])
def test_a_daily_budget_has_the_limits_of_other_budgets(monkeypatch, given):
    monkeypatch.setenv("COMBINE_DAILY_BUDGET_USD", str(given))
    assert read_settings().daily_budget_usd == given

"""Which server is meant, whose token, and where ``--server`` may stand."""

import pytest
from pydantic import SecretStr

from combine.cli.app import global_options_first
from combine.cli.backend import prepare_local
from combine.cli.remote.address import bearer_token, parse_address
from combine.errors import Invalid, NotSignedIn


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://combine.example.org", "https://combine.example.org"),
        (" https://Combine.Example.org/ ", "https://combine.example.org"),
        ("https://combine.example.org:8443", "https://combine.example.org:8443"),
        ("http://localhost:8765", "http://localhost:8765"),
        ("http://127.0.0.1:8765/", "http://127.0.0.1:8765"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]:8765", "http://[::1]:8765"),
    ],
)
def test_an_address(given, url):
    assert parse_address(given).url == url


@pytest.mark.parametrize(
    "given",
    [
        "http://combine.example.org",
        "http://10.0.0.1:8765",
        "http://0.0.0.0:8765",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "http://[2001:db8::1]",
        "HTTP://example.org",
    ],
)
def test_a_token_does_not_go_to_another_machine_in_the_clear(given):
    with pytest.raises(Invalid) as refused:
        parse_address(given)
    assert refused.value.code == "server_insecure"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "combine.example.org",
        "localhost:8765",
        "ftp://example.org",
        "https://",
        "https://user@example.org",
        "https://example.org/api/v1",
        "https://example.org/?x=1",
        "https://example.org/#x",
        "https://example.org:99999",
        "https://[::1",
        "https://exam\nple.org",
        "--json",
    ],
)
def test_what_is_no_address(given):
    with pytest.raises(Invalid) as refused:
        parse_address(given)
    assert refused.value.code == "server_invalid"


def test_a_password_in_an_address_is_not_repeated():
    with pytest.raises(Invalid) as refused:
        parse_address("https://user:geheim@example.org")
    assert "geheim" not in refused.value.message


def test_a_command_of_this_machine_does_not_repeat_it_either(monkeypatch):
    monkeypatch.setenv("COMBINE_SERVER", "https://user:geheim@example.org")
    with pytest.raises(Invalid) as refused:
        prepare_local("db status")
    assert "geheim" not in refused.value.message


SERVER = parse_address("https://combine.example.org")


def test_a_token_is_taken_without_the_end_of_its_line():
    assert bearer_token(SecretStr("cmb_abc\n"), SERVER) == "cmb_abc"


@pytest.mark.parametrize("given", [None, SecretStr(""), SecretStr("  ")])
def test_no_token(given):
    with pytest.raises(NotSignedIn) as refused:
        bearer_token(given, SERVER)
    assert refused.value.code == "token_missing"


@pytest.mark.parametrize("given", ["two words", "cmb_\x00", "cmb_ä", "a\r\nX-Header: 1"])
def test_what_cannot_stand_in_a_header_is_no_token(given):
    with pytest.raises(Invalid) as refused:
        bearer_token(SecretStr(given), SERVER)
    assert refused.value.code == "token_malformed"
    assert given not in refused.value.message


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        (["list"], ["list"]),
        (["list", "--server", "u", "--json"], ["--server", "u", "list", "--json"]),
        (["docs", "list", "--server=u"], ["--server=u", "docs", "list"]),
        (["--server", "u", "list", "--debug"], ["--server", "u", "list"]),
        (["list", "--server"], ["--server"]),
        (["--server", "a", "list", "--server", "b"], ["--server", "a", "--server", "b", "list"]),
    ],
)
def test_options_that_stand_anywhere(given, parsed):
    assert global_options_first(given) == parsed

"""Addresses and paths that come from outside are normalized or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from combine.auth.addresses import domain_of, email_address, is_secure, local_path
from combine.errors import Invalid


@pytest.mark.parametrize(
    ("given_", "address"),
    [
        ("ann@example.org", "ann@example.org"),
        (" Ann.B+x@Example.ORG ", "ann.b+x@example.org"),
        ("o'neil@a-b.example", "o'neil@a-b.example"),
    ],
)
def test_an_address_is_lowercased(given_, address):
    assert email_address(given_) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "@example.org",
        "ann@",
        "ann@b@example.org",
        "ann @example.org",
        "ann@exam ple.org",
        "ann\x00@example.org",
        "ann@example..org",
        "ann@.example.org",
        "ann@-example.org",
        "ann@example.org\n.evil",
        "\u212aate@example.org",  # its lower-case form is kate
        "ann@\u212aompany.org",
        "ann@exämple.org",
        "a" * 250 + "@example.org",
    ],
)
def test_an_invalid_address_is_refused(text):
    with pytest.raises(Invalid) as caught:
        email_address(text)
    assert caught.value.code == "email_invalid"


def test_the_domain_is_the_part_after_the_at():
    assert domain_of("ann@example.org") == "example.org"


@pytest.mark.parametrize("path", ["/", "/projects/1", "/a?b=c&d=%2F#x", "/a//b", "/a:b", "/@evil.org"])
def test_a_path_of_this_server_is_kept(path):
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "projects",
        "//evil.org",
        "///evil.org",
        "/\\evil.org",
        "\\\\evil.org",
        "/a\\b",
        "https://evil.org",
        "javascript:alert(1)",
        " /x",
        "/\t/evil.org",
        "/\n/evil.org",
        "/x\r\nSet-Cookie: a=b",
        "/\x00",
        "/ä",
        "/a b",
        "/" + "x" * 2000,
    ],
)
def test_an_unsafe_path_becomes_the_start_page(path):
    assert local_path(path) == "/"


@given(st.text())
def test_the_path_never_leads_to_another_server(text):
    path = local_path(text)
    assert path.startswith("/")
    assert not path.startswith("//")
    assert path.isascii()
    assert path.isprintable()
    assert "\\" not in path


@pytest.mark.parametrize(
    ("url", "secure"),
    [
        ("https://login.example.org/x?y=z", True),
        ("http://localhost:9400", True),
        ("http://127.0.0.1:1/x", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:80/", True),
        ("http://login.example.org", False),
        ("http://localhost.evil.org", False),
        ("http://127.0.0.1.evil.org", False),
        ("http://localhost@evil.org", False),
        ("https://user@evil.org", False),
        ("https://", False),
        ("https://x:99999", False),
        ("https://[x", False),
        ("ftp://localhost", False),
        ("https://x/#y", False),
        ("", False),
    ],
)
def test_only_https_or_this_machine_is_secure(url, secure):
    assert is_secure(url) is secure

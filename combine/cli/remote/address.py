"""Which server, and whose token. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import SecretStr

from combine.errors import Invalid, NotSignedIn


@dataclass(frozen=True, slots=True)
class Address:
    """An origin."""

    url: str
    """Without a trailing slash."""

    @property
    def https(self) -> bool:
        """Whether what is said to it is encrypted."""
        return self.url.startswith("https:")

    def __str__(self) -> str:
        return self.url


def address(text: str) -> Address:
    """The server that a person means. Raises Invalid, also for one that a token would reach in the clear."""
    try:
        url = urlsplit(text.strip())
        host, _ = url.hostname, url.port
    except ValueError:
        raise _invalid(text) from None
    if url.scheme not in {"http", "https"} or not host or not text.strip().isprintable():
        raise _invalid(text)
    if url.username is not None or url.path.strip("/") or url.query or url.fragment:
        raise _invalid(text)
    if url.scheme == "http" and not _is_this_machine(host):
        raise Invalid(
            f"The token would go to {host} unencrypted.",
            code="server_insecure",
            hint=f"Write https://{url.netloc}; plain http is for this machine only.",
        )
    return Address(f"{url.scheme}://{url.netloc.lower()}")


def bearer(token: SecretStr | None, server: Address) -> str:
    """The token as it is sent. Raises NotSignedIn if there is none, Invalid if it cannot be one."""
    text = "" if token is None else token.get_secret_value().strip()
    if not text:
        raise NotSignedIn(
            f"There is no token for {server}.",
            code="token_missing",
            hint="Set COMBINE_TOKEN. `combine tokens create NAME --scope run` makes one on the server's machine; "
            f"so does POST {server}/api/v1/tokens for somebody who is signed in.",
        )
    if not text.isascii() or not text.isprintable() or " " in text:
        raise Invalid(
            "COMBINE_TOKEN holds no token.",
            code="token_malformed",
            hint="It is one word: cmb_ and 49 letters and digits.",
        )
    return text


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _invalid(text: str) -> Invalid:
    shown = text if "@" not in text else "What is given"  # a password may stand before the @
    return Invalid(
        f"{shown!r} is no address of a server." if shown is text else f"{shown} is no address of a server.",
        code="server_invalid",
        hint="Write --server (or COMBINE_SERVER) as https://combine.example.org: no user, no path.",
    )

"""The address of the server and the token for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import SecretStr

from combine.errors import Invalid, NotSignedIn


@dataclass(frozen=True, slots=True)
class Address:
    """The origin of a server: scheme, host and port."""

    url: str
    """Without a trailing slash."""

    @property
    def https(self) -> bool:
        """Whether the connection is encrypted."""
        return self.url.startswith("https:")

    def __str__(self) -> str:
        return self.url


def parse_address(text: str) -> Address:
    """Parse the address of a server. Raises Invalid, also if the token would be sent unencrypted."""
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
            f"The token would be sent to {host} unencrypted.",
            code="server_insecure",
            hint=f"Use https://{url.netloc}; plain http is allowed only for this machine.",
        )
    return Address(f"{url.scheme}://{url.netloc.lower()}")


def bearer_token(token: SecretStr | None, server: Address) -> str:
    """The token as it is sent. Raises NotSignedIn if there is none, Invalid if it is malformed."""
    text = "" if token is None else token.get_secret_value().strip()
    if not text:
        raise NotSignedIn(
            f"No token is set for {server}.",
            code="token_missing",
            hint="Set COMBINE_TOKEN. Create a token with `combine tokens create NAME --scope run` on the server's "
            f"machine, or, if you are signed in, with POST {server}/api/v1/tokens.",
        )
    if not text.isascii() or not text.isprintable() or " " in text:
        raise Invalid(
            "COMBINE_TOKEN is not a valid token.",
            code="token_malformed",
            hint="A token is a single word: cmb_ followed by 49 letters and digits.",
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
    shown = "The server address" if "@" in text else repr(text)  # there may be a password before the @
    return Invalid(
        f"{shown} is not a valid server URL.",
        code="server_invalid",
        hint="Use the form https://combine.example.org for --server or COMBINE_SERVER, without user or path.",
    )

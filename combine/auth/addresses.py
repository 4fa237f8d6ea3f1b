"""Normalises or rejects email addresses, redirect paths and URLs that come from outside."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from combine.errors import Invalid

MAX_EMAIL = 254
MAX_PATH = 2000
_EMAIL = re.compile(r"[!-?A-~]+@[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")


def email_address(text: str) -> str:
    """The address in lower case. Raises Invalid.

    ASCII only: outside of ASCII, different letters can have the same lower-case form, which could merge two addresses.
    """
    address = text.strip().lower() if text.isascii() else ""
    if len(address) > MAX_EMAIL or _EMAIL.fullmatch(address) is None or ".." in address:
        raise Invalid(f"{text[:80]!r} is not a valid email address.", code="email_invalid")
    return address


def domain_of(address: str) -> str:
    """The part after the @."""
    return address.rpartition("@")[2]


def local_path(text: str | None) -> str:
    """Where to redirect after signing in: a path on this server, or ``/`` for anything that could lead elsewhere.

    Browsers treat a backslash as a slash and drop control characters, so neither is allowed.
    """
    if text is None or len(text) > MAX_PATH or not text.startswith("/") or text.startswith("//"):
        return "/"
    if "\\" in text or not all("!" <= character <= "~" for character in text):
        return "/"
    return text


def is_secure(url: str) -> bool:
    """Whether it is an https URL, or an http URL of this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # raises for an invalid port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _LOOPBACK.fullmatch(host) is not None)

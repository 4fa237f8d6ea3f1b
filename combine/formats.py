"""Formats that several rooms read: text that can be stored, Retry-After, and proxies. Imports nothing of ours."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

_UNSTORABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
"""Control characters except tabs, line and page breaks; lone surrogates. PostgreSQL, UTF-8 or terminals reject them."""


def is_storable(text: str) -> bool:
    """Whether there are no lone surrogates and no control characters except tabs, line and page breaks."""
    return _UNSTORABLE.search(text) is None


def unstorable_at(text: str) -> int | None:
    """The position of the first character that cannot be stored; None if there is none."""
    found = _UNSTORABLE.search(text)
    return None if found is None else found.start()


def storable_text(text: str) -> str:
    """The text with each character that cannot be stored replaced by U+FFFD; its length stays the same."""
    return _UNSTORABLE.sub("\ufffd", text)


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that a server asks its client to wait: ``retry-after-ms``, or ``retry-after`` in seconds or as a date.

    None if there is no valid value. ``now`` is used for a date (default: the clock).
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def unusable_proxy() -> tuple[str, str] | None:
    """The environment variable of a proxy that HTTP clients cannot use, and why; None if all can be used."""
    from urllib.request import getproxies  # noqa: PLC0415 - loads an HTTP client that most commands do not need

    proxies = getproxies()
    if proxies.get("no", "").strip() == "*":
        return None
    for scheme in ("http", "https", "all"):
        url = proxies.get(scheme)
        if url:
            name = f"{scheme}_proxy"
            variable = name if name in os.environ else name.upper()
            why = _proxy_fault(url if "://" in url else f"http://{url}")
            if why:
                return variable, why
    return None


def _proxy_fault(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "its host or port is not valid"
    if parts.scheme not in {"http", "https", "socks5", "socks5h"}:
        return "its scheme is not http, https, socks5 or socks5h"
    if not parts.hostname or port == 0 or not url.isascii() or not url.isprintable():
        return "its host or port is not valid"
    return None

"""Random secrets: their stored form, the format of personal access tokens, and one-time links."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

TOKEN_PREFIX = "cmb_"  # noqa: S105 - the start of every token, by which secret scanners recognise them
LINK_LIFETIME = timedelta(minutes=10)
_CHECKSUM_LENGTH = 6
_TOKEN = re.compile(rf"{TOKEN_PREFIX}[A-Za-z0-9_-]{{43}}[A-Za-z0-9_-]{{{_CHECKSUM_LENGTH}}}", re.ASCII)


def new_secret() -> str:
    """256 random bits as 43 URL-safe characters: for sessions, states, nonces, cookies."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """The SHA-256 of a secret in hex, which is what is stored. Enough for random secrets, unlike for passwords."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_token() -> str:
    """``cmb_``, 43 random characters, and a checksum of six characters."""
    body = TOKEN_PREFIX + new_secret()
    return body + _checksum(body)


def is_token(text: str) -> bool:
    """Whether the text is a well-formed token. A mistyped one is not, and needs no database lookup."""
    return _TOKEN.fullmatch(text) is not None and text[-_CHECKSUM_LENGTH:] == _checksum(text[:-_CHECKSUM_LENGTH])


def _checksum(body: str) -> str:
    return urlsafe_b64encode(zlib.crc32(body.encode("ascii")).to_bytes(4, "big")).decode("ascii").rstrip("=")


class OneTimeLinks:
    """The secrets of links that sign in the user of local mode: valid once, kept as hashes in this process only."""

    def __init__(self, lifetime: timedelta = LINK_LIFETIME, *, clock: Callable[[], float] = monotonic) -> None:
        self._lifetime_s = lifetime.total_seconds()
        self._clock = clock
        self._expiry: dict[str, float] = {}
        """By hash."""

    def issue(self) -> str:
        """A new secret for a link. Secrets issued earlier stay valid."""
        self._sweep()
        secret = new_secret()
        self._expiry[digest(secret)] = self._clock() + self._lifetime_s
        return secret

    def redeem(self, secret: str) -> bool:
        """Whether the secret was valid; it no longer is."""
        self._sweep()
        given = digest(secret)
        found = next((known for known in self._expiry if hmac.compare_digest(known, given)), None)
        if found is None:
            return False
        del self._expiry[found]
        return True

    def _sweep(self) -> None:
        now = self._clock()
        self._expiry = {known: end for known, end in self._expiry.items() if end > now}

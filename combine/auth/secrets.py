"""Random secrets: what is stored of them, and the form of the tokens that people copy."""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from base64 import urlsafe_b64encode

TOKEN_PREFIX = "cmb_"  # noqa: S105 - the beginning of every token, by which secret scanners know them
_CHECK_LENGTH = 6
_TOKEN = re.compile(rf"{TOKEN_PREFIX}[A-Za-z0-9_-]{{43}}[A-Za-z0-9_-]{{{_CHECK_LENGTH}}}", re.ASCII)


def new_secret() -> str:
    """256 random bits as 43 url-safe characters: for sessions, states, nonces, cookies."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret: its SHA-256, in hex. Enough for random ones; passwords would need a slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_token() -> str:
    """``cmb_``, 43 random characters, and six that are the checksum of the rest."""
    body = TOKEN_PREFIX + new_secret()
    return body + _check(body)


def is_token(text: str) -> bool:
    """Whether the text has the form of a token. One that was mistyped has not, and needs no look into the database."""
    return _TOKEN.fullmatch(text) is not None and text[-_CHECK_LENGTH:] == _check(text[:-_CHECK_LENGTH])


def _check(body: str) -> str:
    return urlsafe_b64encode(zlib.crc32(body.encode("ascii")).to_bytes(4, "big")).decode("ascii").rstrip("=")

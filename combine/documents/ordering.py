"""JSON as text: the canonical one, its hash, and the one for storage."""

from __future__ import annotations

import hashlib
import json

import orjson


def canonical_json(content: object) -> str:
    """The one text of a JSON value: keys sorted, no spaces, letters as they are. ValueError on NaN and infinities."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_sha256(content: object) -> str:
    """Hex digest of the canonical JSON in UTF-8; the same whatever order the keys came in."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def stored_json(content: object) -> bytes:
    """JSON in UTF-8 without spaces, keys as they come. Not for hashes: numbers have no fixed form; NaN becomes null."""
    try:
        return orjson.dumps(content)
    except TypeError:  # an integer of more than 64 bits, or half of a surrogate pair
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

"""The one text of a JSON value, and its hash."""

from __future__ import annotations

import hashlib
import json


def canonical_json(content: object) -> str:
    """The one text of a JSON value: keys sorted, no spaces, letters as they are. ValueError on NaN and infinities."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_sha256(content: object) -> str:
    """Hex digest of the canonical JSON in UTF-8; the same whatever order the keys came in."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()

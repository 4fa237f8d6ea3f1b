"""The order of a document's keys: the schema's for readers, the alphabet's for hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from combine.documents import schema_walk


def in_schema_order(content: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The document with every object's keys in its schema's order; others follow by name."""
    ordered: dict[str, Any] = schema_walk.in_schema_order(content, schema)
    return ordered


def canonical_json(content: object) -> str:
    """The one text of a JSON value: keys sorted, no spaces, letters as they are. ValueError on NaN and infinities."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def content_sha256(content: object) -> str:
    """Hex digest of the canonical JSON in UTF-8; the same whatever order the keys came in."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()

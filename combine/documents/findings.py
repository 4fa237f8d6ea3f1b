"""Findings (faults that code can prove, or that the QA role reports) and hints (what code only suspects)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from combine.formats import storable_text


class FindingKind(StrEnum):
    """Who found it."""

    MECHANICAL = "mechanical"
    SEMANTIC = "semantic"


class Severity(StrEnum):
    """The severity, by consequence."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    OBSERVATION = "observation"


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem in a document."""

    kind: FindingKind
    severity: Severity
    code: str
    """Stable name of the rule, e.g. ``quote_not_found``."""
    document: str
    """The document type it is about, or ``brief``."""
    message: str
    """One sentence: what is wrong and how to fix it."""
    item: str | None = None
    """Id of the item, e.g. ``FR-002``."""
    path: str = "$"
    """JSON path inside the document."""
    found: str | None = None
    expected: str | None = None
    """For a missing quote: the cited text itself."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Something code suspects; handed to the QA role as a candidate, never shown as a fault."""

    code: str
    document: str
    message: str
    item: str | None = None


MAX_SHOWN = 400
"""Characters of a value that a finding shows."""


def fault(
    severity: Severity,
    code: str,
    document: str,
    message: str,
    *,
    item: str | None = None,
    path: str = "$",
    found: Any = None,
    expected: str | None = None,
) -> Finding:
    """A mechanical finding; all its texts can be stored, and ``found`` is shortened."""
    return Finding(
        kind=FindingKind.MECHANICAL,
        severity=severity,
        code=code,
        document=storable_text(document),
        message=storable_text(message),
        item=None if item is None else shown(item, 40),
        path=shown(path, 200),
        found=None if found is None else shown(found),
        expected=None if expected is None else storable_text(expected),
    )


def shown(value: Any, limit: int = MAX_SHOWN) -> str:
    """A value as text, at most ``limit`` characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = storable_text(text[: limit + 1])
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def storable(value: Any) -> Any:
    """The JSON value with such characters replaced in all its texts and keys, and infinite numbers by null."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, Mapping):
        return {storable_text(str(k)): storable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [storable(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

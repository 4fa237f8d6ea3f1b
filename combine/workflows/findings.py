"""Findings (faults that code can prove, or that the QA role reports) and hints (what code only suspects)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FindingKind(StrEnum):
    """Who found it."""

    MECHANICAL = "mechanical"
    SEMANTIC = "semantic"


class Severity(StrEnum):
    """How bad it is, by consequence."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    OBSERVATION = "observation"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of a document."""

    kind: FindingKind
    severity: Severity
    code: str
    """Stable name of the rule, e.g. ``quote_not_found``."""
    document: str
    """The document type it is about, or ``brief``."""
    message: str
    """One sentence: what is wrong and what would mend it."""
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

"""What a check is given and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from combine.brief.brief import Brief
from combine.documents.questions import Answer

ASSUMPTION = "ASM"
"""Prefix of assumptions; they are numbered across all documents."""


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What is known when a document is checked."""

    document_type: str
    schema: Mapping[str, Any]
    brief: Brief
    answers: tuple[Answer, ...] = ()
    upstream: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Type -> content of the documents the step reads; for the final step all documents."""
    draft: Mapping[str, Any] | None = None
    """The output before this remediation or revision, if any; its ids must not be lost."""
    droppable_ids: frozenset[str] = frozenset()
    """Ids named by a finding, which may be removed."""
    used_ids: Mapping[str, int] = field(default_factory=dict)
    """Prefix -> highest number in use for this type (``ASM``: over all types)."""
    known_ids: frozenset[str] = frozenset()
    """Ids of the previous version, which may be reused."""

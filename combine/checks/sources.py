"""Sources: every ref exists, and every quote occurs in the text it cites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from combine.checks.context import CheckContext
from combine.checks.known import Known
from combine.checks.walk import Walked
from combine.documents.findings import Finding, Severity, fault, shown
from combine.documents.items import SOURCES, iter_objects

MAX_CITED_TEXT = 1500
"""Characters of the cited text that a finding shows."""


def check_sources(
    walked: Walked, context: CheckContext, known: Known, faulted: frozenset[str] = frozenset()
) -> list[Finding]:
    """Checks all sources of the document, at any depth.

    ``faulted`` are the paths that the schema check has already reported.
    """
    return [
        finding
        for path, value in iter_objects(walked.document)
        if isinstance(value.get(SOURCES), list)
        for finding in _check(value, path, context, known)
        if f"{finding.path}.ref" not in faulted
    ]


def _check(value: Mapping[str, Any], path: str, context: CheckContext, known: Known) -> Iterator[Finding]:
    own = value.get("id")
    for index, source in enumerate(value[SOURCES]):
        ref, quote = (source.get("ref"), source.get("quote")) if isinstance(source, Mapping) else (None, None)
        if not isinstance(ref, str) or not isinstance(quote, str):
            continue  # reported by the schema check
        problem = _problem(ref, quote, own, known)
        if problem is None:
            continue
        code, message, expected = problem
        yield fault(
            Severity.CRITICAL,
            code,
            context.document_type,
            message,
            item=own if isinstance(own, str) else None,
            path=f"{path}.{SOURCES}[{index}]",
            found=ref if code == "source_unknown" else quote,
            expected=expected,
        )


def _problem(ref: str, quote: str, own: Any, known: Known) -> tuple[str, str, str | None] | None:
    name = shown(ref, 40)
    if ref == own:
        return "source_self", f"{name} cites itself: cite what the claim comes from.", None
    if ref not in known:
        message = f"There is no {name} to cite: cite something that exists, or declare an assumption and cite that."
        return "source_unknown", message, _citable(known)
    if not quote.strip():
        return None  # reported by the schema check
    cited = "\n".join(known.texts(ref))[:MAX_CITED_TEXT]
    if not known.holds(ref, quote):
        message = (
            f"The quote does not stand in {name}: copy consecutive words of it unchanged, cite another source, "
            "or change the claim."
        )
        return "quote_not_found", message, cited
    if not known.is_long_enough(ref, quote):
        return "quote_too_short", f"The quote from {name} is too short: take at least three consecutive words.", cited
    return None


def _citable(known: Known) -> str:
    parts = []
    if known.sentences:
        parts.append(f"sentences {known.sentences[0]} to {known.sentences[-1]}")
    if known.answers:
        parts.append(f"answers {', '.join(known.answers)}")
    return "; ".join([*parts, "items of the documents and assumptions by their ids"])

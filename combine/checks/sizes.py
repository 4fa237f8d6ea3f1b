"""Sizes beyond the reject limits that the schema states as ``x-words`` and ``x-count``."""

from __future__ import annotations

from collections.abc import Iterator

from combine.checks.context import CheckContext
from combine.checks.walk import Place, Walked
from combine.documents.findings import Finding, Severity, fault
from combine.documents.words import word_count


def check_sizes(walked: Walked, context: CheckContext) -> list[Finding]:
    """Texts and lists above those limits."""
    return [
        fault(
            Severity.MINOR,
            code,
            context.document_type,
            message,
            item=place.item,
            path=place.path,
            found=found,
        )
        for place in walked.places
        for code, message, found in _too_large(place)
    ]


def _too_large(place: Place) -> Iterator[tuple[str, str, str]]:
    if isinstance(place.value, str) and (limit := place.part.words):
        ask, reject = limit
        words = word_count(place.value) if len(place.value) > reject else 0  # each takes a character at least
        if words > reject:
            message = f"`{place.name}` has {words} words: say it in at most {ask}; what does not fit belongs elsewhere."
            yield "text_too_long", message, f"{words} words"
    if isinstance(place.value, list) and (limit := place.part.count):
        ask, reject = limit
        count = len(place.value)
        if count > reject:
            message = f"`{place.name}` has {count} entries: keep at most {ask}, the ones a source asks for."
            yield "too_many", message, f"{count} entries"

"""Coverage: high objectives have requirements, must requirements have components, sentences are used.

The rules know the strategy document types; for other types they report nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from combine.brief.brief import Brief, SentenceKind
from combine.checks.context import CheckContext
from combine.checks.walk import Walked
from combine.documents.findings import Finding, Severity, fault
from combine.documents.items import SOURCES, Item, item_sources, iter_objects

DISCOVERY, REQUIREMENTS, ARCHITECTURE = "project-discovery", "requirements-doc", "architecture-doc"

_BRACKET = re.compile(r"[(\[\uff08][^()\[\]\uff08\uff09]{0,300}[)\]\uff09]")
_SENTENCE = re.compile(r"\bB-[0-9]+\b")


def check_coverage(walked: Walked, context: CheckContext) -> list[Finding]:
    """What earlier documents ask for and this one does not cover."""
    if context.document_type == REQUIREMENTS:
        return list(_objectives(walked, context))
    if context.document_type == ARCHITECTURE:
        return list(_musts(walked, context))
    return []


def unused_sentences(brief: Brief, documents: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Ids of the brief's sentences that nothing cites; an id in brackets inside a text counts as use.

    Headings are left out, since they only structure the text.
    """
    used: set[str] = set()
    for document in documents:
        for _, value in iter_objects(document):
            used.update(ref for ref, _ in item_sources(value))
            for name, part in value.items():
                if name != SOURCES:
                    used.update(_in_brackets(part))
    return tuple(s.id for s in brief.sentences if s.id not in used and s.kind is not SentenceKind.HEADING)


def _in_brackets(value: Any) -> Iterator[str]:
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    for text in texts:
        if isinstance(text, str) and "B-" in text:
            for bracket in _BRACKET.findall(text):
                yield from _SENTENCE.findall(bracket)


def _objectives(walked: Walked, context: CheckContext) -> Iterator[Finding]:
    cited = {ref for item in walked.items for ref, _ in item_sources(item.value)}
    for objective in walked.upstream(DISCOVERY):
        if objective.prefix == "OBJ" and objective.value.get("priority") == "high" and objective.id not in cited:
            yield fault(
                Severity.MAJOR,
                "objective_not_covered",
                context.document_type,
                f"No requirement cites the high objective {objective.id}: cite it where one serves it, or write one.",
                item=objective.id,
                path="$.functional_requirements",
                expected=_said(objective),
            )


def _musts(walked: Walked, context: CheckContext) -> Iterator[Finding]:
    satisfied: set[str] = set()
    for component in walked.items:
        if component.prefix != "CMP":
            continue
        names = component.value.get("satisfies")
        satisfied.update(n for n in names if isinstance(n, str)) if isinstance(names, list) else None
    for requirement in walked.upstream(REQUIREMENTS):
        if requirement.value.get("priority") == "must" and requirement.id not in satisfied:
            yield fault(
                Severity.MAJOR,
                "must_not_covered",
                context.document_type,
                f"No component satisfies the must {requirement.id}: name it in `satisfies` of the one that does.",
                item=requirement.id,
                path="$.components",
                expected=_said(requirement),
            )


def _said(item: Item) -> str | None:
    said = item.value.get("description")
    return said if isinstance(said, str) else None

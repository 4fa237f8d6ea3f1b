"""References between items: their targets exist, and dependencies have no cycles."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from combine.checks.context import CheckContext
from combine.checks.known import Known
from combine.checks.walk import Walked
from combine.documents.findings import Finding, Severity, fault, shown

DEPENDS_ON = "depends_on"


def check_references(walked: Walked, context: CheckContext, known: Known) -> list[Finding]:
    """Every field the schema describes as an id of something else, and cycles of ``depends_on``."""
    return [*_unknown(walked, context, known), *_circles(walked, context)]


def _unknown(walked: Walked, context: CheckContext, known: Known) -> Iterator[Finding]:
    for place in walked.places:
        if not isinstance(place.value, str) or place.name in ("id", "ref"):
            continue
        pattern = place.part.id_pattern
        if pattern is not None and pattern.fullmatch(place.value) and place.value not in known:
            yield fault(
                Severity.CRITICAL,
                "reference_unknown",
                context.document_type,
                f"`{place.name}`: there is no {shown(place.value, 40)}; take an existing id or leave it out.",
                item=place.item,
                path=place.path,
                found=place.value,
            )


def _circles(walked: Walked, context: CheckContext) -> Iterator[Finding]:
    graph: dict[str, set[str]] = {}
    paths: dict[str, str] = {}
    for item in walked.items:
        needed = item.value.get(DEPENDS_ON)
        names = [n for n in needed if isinstance(n, str)] if isinstance(needed, list) else []
        graph.setdefault(item.id, set()).update(names)
        paths.setdefault(item.id, f"{item.path}.{DEPENDS_ON}")
    while any(graph.values()):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
        else:
            return
        # graphlib lists each node before the one that needs it
        ring = " -> ".join(reversed(circle))
        message = f"Dependencies run in a circle: {shown(ring, 300)}. Remove the one that is not needed."
        if len(circle) == 2:  # noqa: PLR2004 - the same node at both ends
            message = f"{shown(circle[0], 40)} depends on itself: remove that."
        yield fault(
            Severity.CRITICAL,
            "depends_on_circle",
            context.document_type,
            message,
            item=circle[-1],
            path=paths.get(circle[-1], "$"),
        )
        for name in circle:
            graph.pop(name, None)

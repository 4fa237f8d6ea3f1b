"""The review: its findings name real things, and its verdict follows from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from combine.checks.context import CheckContext
from combine.checks.walk import Walked
from combine.documents.findings import Finding, Severity, fault, shown

REVIEW = "strategy-review"
BRIEF = "brief"

_CRITICAL = ("needs_revision", "rejected")
_MAJOR = ("approved_with_conditions", "needs_revision")
_NEITHER = ("approved", "approved_with_conditions")
_ACTIONS = {
    "approved": ("proceed",),
    "approved_with_conditions": ("proceed",),
    "needs_revision": ("revise",),
    "rejected": ("reject", "escalate"),
}


def check_verdict(walked: Walked, context: CheckContext) -> list[Finding]:
    """All rules of the review; nothing for any other type."""
    if context.document_type != REVIEW:
        return []
    document: Mapping[str, Any] = walked.document
    return [*_named(walked, context), *_reviews(document, context), *_verdict(document, context)]


def _objects(document: Mapping[str, Any], name: str) -> list[tuple[int, Mapping[str, Any]]]:
    value = document.get(name)
    return [(i, v) for i, v in enumerate(value) if isinstance(v, Mapping)] if isinstance(value, list) else []


def _reviewed(context: CheckContext) -> list[str]:
    return [name for name in context.upstream if name != REVIEW]


def _named(walked: Walked, context: CheckContext) -> Iterator[Finding]:
    """Findings whose document or item does not exist."""
    sentences = {s.id for s in context.brief.sentences} | {a.id for a in context.answers}
    ids = {name: {i.id for i in walked.upstream(name)} for name in _reviewed(context)}
    for index, value in _objects(walked.document, "findings"):
        name, item, own = value.get("document"), value.get("item"), value.get("id")
        own = own if isinstance(own, str) else None
        path = f"$.findings[{index}]"
        if not isinstance(name, str) or not name:
            continue
        if name != BRIEF and name not in ids:
            known = ", ".join([*ids, BRIEF])
            message = f"There is no document {shown(name, 60)}: name one of {known}."
            yield _fault("finding_document_unknown", context, message, f"{path}.document", name, item=own)
        elif isinstance(item, str) and item and item not in (sentences if name == BRIEF else ids[name]):
            message = f"There is no {shown(item, 40)} in {name}: name an existing id or leave `item` out."
            yield _fault("finding_item_unknown", context, message, f"{path}.item", item, item=own)


def _reviews(document: Mapping[str, Any], context: CheckContext) -> Iterator[Finding]:
    """Each reviewed document has exactly one line."""
    reviewed = _reviewed(context)
    named = [
        (i, v["document_type"])
        for i, v in _objects(document, "document_reviews")
        if isinstance(v.get("document_type"), str)
    ]
    counts = Counter(name for _, name in named)
    for index, name in named:
        if name not in reviewed:
            message = (
                f"{shown(name, 60)} was not reviewed here: name only {', '.join(reviewed) or 'reviewed documents'}."
            )
            yield _fault("review_unknown", context, message, f"$.document_reviews[{index}]", name)
    for name in reviewed:
        if counts[name] != 1:
            word = "no line" if not counts[name] else f"{counts[name]} lines"
            message = f"`document_reviews` has {word} for {name}: give exactly one."
            yield _fault("review_count", context, message, "$.document_reviews", name)


def _verdict(document: Mapping[str, Any], context: CheckContext) -> Iterator[Finding]:
    """Status from the findings, action from the status."""
    status = _value(document, "overall_assessment", "status")
    action = _value(document, "recommendation", "action")
    severities = {
        value.get("severity") for _, value in _objects(document, "findings") if isinstance(value.get("severity"), str)
    }
    worst, allowed = "no critical or major finding", _NEITHER
    if Severity.CRITICAL in severities:
        worst, allowed = "a critical finding", _CRITICAL
    elif Severity.MAJOR in severities:
        worst, allowed = "a major finding", _MAJOR
    if status in _ACTIONS and status not in allowed:
        message = (
            f"With {worst} the status is {' or '.join(allowed)}, not {status}: correct the status or the severities."
        )
        yield _fault("verdict_contradicts_findings", context, message, "$.overall_assessment.status", status)
    if status in _ACTIONS and action is not None and action not in _ACTIONS[status]:
        message = f"With the status {status} the action is {' or '.join(_ACTIONS[status])}."
        yield _fault("action_contradicts_verdict", context, message, "$.recommendation.action", action)


def _value(document: Mapping[str, Any], name: str, inner: str) -> str | None:
    part = document.get(name)
    value = part.get(inner) if isinstance(part, Mapping) else None
    return value if isinstance(value, str) else None


def _fault(
    code: str, context: CheckContext, message: str, path: str, found: str, *, item: str | None = None
) -> Finding:
    return fault(Severity.MAJOR, code, context.document_type, message, item=item, path=path, found=found)

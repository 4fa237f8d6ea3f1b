"""Ids: well-formed, unique, kept in a repair, never reused for something else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from combine.checks.context import ASSUMPTION, CheckContext
from combine.checks.walk import Walked, declared_prefixes
from combine.documents.findings import Finding, Severity, fault
from combine.documents.items import id_number, iter_items
from combine.documents.schema_walk import as_object

_ID = re.compile(r"[A-Z]{1,8}-[0-9]{3}")


def check_ids(walked: Walked, context: CheckContext, faulted: frozenset[str] = frozenset()) -> list[Finding]:
    """Form, uniqueness, reuse of old numbers, and ids lost in a repair.

    ``faulted`` are the paths that the schema check has already reported.
    """
    return [
        *_wrong_form(walked, context, faulted),
        *_repeated(walked, context),
        *_reused(walked, context),
        *_lost(walked, context),
    ]


def next_ids(schema: Mapping[str, Any], documents: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """For each prefix of the schema the next free number, given all documents in which it may occur."""
    highest = dict.fromkeys(declared_prefixes(schema), 0)
    for document in documents:
        for item in iter_items(document):
            if item.prefix in highest:
                highest[item.prefix] = max(highest[item.prefix], id_number(item.id))
    return {prefix: number + 1 for prefix, number in highest.items()}


def _wrong_form(walked: Walked, context: CheckContext, faulted: frozenset[str]) -> Iterator[Finding]:
    for place in walked.places:
        prefix = place.part.id_prefix
        members = as_object(place.value) if prefix else None
        own = None if members is None else members.get("id")
        if (
            isinstance(own, str)
            and f"{place.path}.id" not in faulted
            and not (_ID.fullmatch(own) and own.startswith(f"{prefix}-"))
        ):
            message = f"Ids of {place.name} are {prefix}- and three digits, e.g. {prefix}-001."
            yield _fault("id_form", context, message, own, f"{place.path}.id")


def _repeated(walked: Walked, context: CheckContext) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    elsewhere = {
        item.id: kind
        for kind in context.upstream
        if kind != context.document_type
        for item in walked.upstream(kind)
        if item.prefix == ASSUMPTION
    }
    for item in walked.items:
        if item.prefix and item.id in seen:
            message = f"The id {item.id} stands twice (also at {seen[item.id]}): give one of them a new number."
            yield _fault("id_duplicate", context, message, item.id, f"{item.path}.id")
        elif item.id in elsewhere:
            message = (
                f"{item.id} is an assumption of {elsewhere[item.id]}: cite it instead of declaring it again, "
                "or give a new assumption a number no document uses."
            )
            yield _fault("id_taken", context, message, item.id, f"{item.path}.id")
        seen.setdefault(item.id, item.path)


def _reused(walked: Walked, context: CheckContext) -> Iterator[Finding]:
    """New items with a number that something else once had."""
    allowed = context.known_ids | {a.assumption_id for a in context.answers}
    allowed |= {item.id for item in walked.draft}
    for item in walked.items:
        highest = context.used_ids.get(item.prefix, -1)
        if item.prefix and item.id not in allowed and id_number(item.id) <= highest:
            message = (
                f"{item.id} was used before for something else: new items start at {item.prefix}-{highest + 1:03}."
            )
            yield _fault("id_reused", context, message, item.id, f"{item.path}.id")


def _lost(walked: Walked, context: CheckContext) -> Iterator[Finding]:
    kept = {item.id for item in walked.items} | context.droppable_ids
    for item in walked.draft:
        if item.prefix and item.id not in kept:
            message = f"{item.id} was in the draft and no finding asked to drop it: return every item."
            yield _fault("id_lost", context, message, item.id, "$")


def _fault(code: str, context: CheckContext, message: str, item: str, path: str) -> Finding:
    return fault(Severity.CRITICAL, code, context.document_type, message, item=item, path=path, found=item)

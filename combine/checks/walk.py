"""Walking a document along with its schema, and naming places in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from combine.checks.context import CheckContext
from combine.documents.items import MAX_DEPTH, Item, iter_items
from combine.documents.schema_walk import LISTS, Part, SameSchema, as_object, root_part


class Place(NamedTuple):
    """One value of a document and the part of the schema that describes it."""

    path: str
    name: str
    """Name of the property, or of the array for its elements; empty at the root."""
    value: Any
    part: Part
    item: str | None
    """Id of the enclosing item."""


class Walked:
    """The input of a check: the document and earlier ones, each walked once for all rules."""

    def __init__(self, document: Any, context: CheckContext) -> None:
        self.document = document
        self._context = context
        self._upstream: dict[str, tuple[Item, ...]] = {}

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """Every element with an id, in document order."""
        return tuple(iter_items(self.document))

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The values with schema rules beyond their form, outer ones first."""
        found: list[Place] = []
        _collect(Place("$", "", self.document, root_part(self._context.schema), None), 0, found)
        return tuple(found)

    def upstream(self, document_type: str) -> tuple[Item, ...]:
        """The items of a document that the step reads; none if there is no such document."""
        if document_type not in self._upstream:
            # Content used to be stored only as JSONB. Findings still follow its order, so that recordings replay.
            content = self._context.upstream.get(document_type) or {}
            self._upstream[document_type] = tuple(iter_items(content, stored=True))
        return self._upstream[document_type]

    @cached_property
    def draft(self) -> tuple[Item, ...]:
        """The items of the output before this one; none if there is no such output."""
        return tuple(iter_items(self._context.draft or {}))


def _collect(place: Place, depth: int, found: list[Place]) -> None:
    if depth > MAX_DEPTH:
        return
    path, name, value, part, item = place
    if part.is_checked:
        found.append(place)
    if isinstance(value, str):
        return
    if isinstance(value, LISTS):
        element = part.element
        for index, inner in enumerate(value):
            _collect(Place(f"{path}[{index}]", name, inner, element, item), depth + 1, found)
    elif (members := as_object(value)) is not None:
        own = members.get("id")
        item = own if isinstance(own, str) else item
        for field, inner in part.properties.items():
            if field in members:
                _collect(Place(f"{path}.{field}", field, members[field], inner, item), depth + 1, found)


def declared_prefixes(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The prefixes of all items the schema knows, in its order."""
    return _declared_prefixes(SameSchema(schema))


@lru_cache(maxsize=64)
def _declared_prefixes(key: SameSchema) -> tuple[str, ...]:
    found: dict[str, None] = {}
    waiting = [root_part(key.schema)]
    seen: set[int] = set()
    while waiting:
        part = waiting.pop(0)
        if id(part) in seen:
            continue
        seen.add(id(part))
        if part.id_prefix:
            found[part.id_prefix] = None
        waiting += [*part.properties.values(), part.element]
    return tuple(found)


def json_path(parts: Iterable[str | int]) -> str:
    """``$.a[0].b`` of the parts ``a``, 0, ``b``."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def item_around(document: Any, parts: Iterable[str | int]) -> str | None:
    """Id of the innermost item on the path to a place."""
    found, value = None, document
    for part in parts:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            break
        own = value.get("id") if isinstance(value, Mapping) else None
        found = own if isinstance(own, str) else found
    return found

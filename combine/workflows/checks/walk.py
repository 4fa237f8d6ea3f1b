"""Walking a document beside its schema, and naming places in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from combine.workflows.items import MAX_DEPTH
from combine.workflows.schema_walk import element, properties, resolve

_ID_PATTERN = re.compile(r"\^\(?[A-Z|]+\)?-\[0-9\]\{3\}\$")
_PREFIX = re.compile(r"\^([A-Z]{1,8})-\[0-9\]\{3\}\$")


@dataclass(frozen=True, slots=True)
class Place:
    """One value of a document and the part of the schema that describes it."""

    path: str
    name: str
    """Name of the property, or of the array for its elements; empty at the root."""
    value: Any
    node: Mapping[str, Any]
    item: str | None
    """Id of the item around it."""


def places(document: Any, schema: Mapping[str, Any]) -> Iterator[Place]:
    """Every value of the document that the schema describes, outer ones first."""
    yield from _places(Place("$", "", document, resolve(schema, schema), None), schema, 0)


def _places(place: Place, root: Mapping[str, Any], depth: int) -> Iterator[Place]:
    if depth > MAX_DEPTH:
        return
    yield place
    if isinstance(place.value, Mapping):
        own = place.value.get("id")
        item = own if isinstance(own, str) else place.item
        for name, node in properties(root, place.node).items():
            if name in place.value:
                inner = Place(f"{place.path}.{name}", name, place.value[name], node, item)
                yield from _places(inner, root, depth + 1)
    elif isinstance(place.value, list | tuple):
        node = element(root, place.node)
        for index, part in enumerate(place.value):
            yield from _places(Place(f"{place.path}[{index}]", place.name, part, node, place.item), root, depth + 1)


def id_pattern(node: Mapping[str, Any]) -> re.Pattern[str] | None:
    """The pattern of a string that holds an id, such as ``^(FR|NFR)-[0-9]{3}$``; None for any other string."""
    pattern = node.get("pattern")
    return re.compile(pattern) if isinstance(pattern, str) and _ID_PATTERN.fullmatch(pattern) else None


def declared_prefix(node: Mapping[str, Any]) -> str:
    """``OBJ`` if the part describes items whose id has that one prefix, else empty."""
    parts = node.get("properties")
    own = parts.get("id") if isinstance(parts, Mapping) else None
    pattern = own.get("pattern") if isinstance(own, Mapping) else None
    found = _PREFIX.fullmatch(pattern) if isinstance(pattern, str) else None
    return found.group(1) if found else ""


def declared_prefixes(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The prefixes of all items the schema knows, in its order."""
    found: dict[str, None] = {}
    waiting: list[tuple[Mapping[str, Any], int]] = [(resolve(schema, schema), 0)]
    while waiting:
        node, depth = waiting.pop(0)
        if depth > MAX_DEPTH:
            continue
        if prefix := declared_prefix(node):
            found[prefix] = None
        waiting.extend((part, depth + 1) for part in properties(schema, node).values())
        if inner := element(schema, node):
            waiting.append((inner, depth + 1))
    return tuple(found)


def json_path(parts: Iterable[str | int]) -> str:
    """``$.a[0].b`` of the parts ``a``, 0, ``b``."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def item_around(document: Any, parts: Iterable[str | int]) -> str | None:
    """Id of the innermost item on the way to a place."""
    found, value = None, document
    for part in parts:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            break
        own = value.get("id") if isinstance(value, Mapping) else None
        found = own if isinstance(own, str) else found
    return found

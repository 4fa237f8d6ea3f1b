"""Items: the elements of a document that have an id, at any depth."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from combine.documents.schema_walk import LISTS, SCALARS, as_object, store_order

SOURCES = "sources"
"""The field in which an item cites what it comes from."""
MAX_DEPTH = 40
"""Deeper parts of a document are ignored; our own schemas are far shallower."""

_ID = re.compile(r"([A-Z]{1,8})-[0-9]+")
_NO_TEXT = frozenset({"id", SOURCES})


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a document."""

    id: str
    prefix: str
    """The part before the hyphen, e.g. ``FR``; empty if the ID has a different form."""
    list_name: str
    """Name of the array it is in, e.g. ``functional_requirements``."""
    path: str
    """JSON path, e.g. ``$.functional_requirements[0]``."""
    value: Mapping[str, Any]


def iter_items(document: Mapping[str, Any], *, stored: bool = False) -> Iterator[Item]:
    """Every element with a string ``id`` in any array of the document, in document order.

    ``stored``: in the order in which JSONB returns the document's keys.
    """
    found: list[Item] = []
    _collect_items(document, "$", "", 0, found, stored=stored)
    return iter(found)


def id_prefix(item_id: str) -> str:
    """``FR`` of ``FR-012``; empty if it is not such an id."""
    found = _ID.fullmatch(item_id)
    return found.group(1) if found else ""


def id_number(item_id: str) -> int:
    """12 of ``FR-012``; 0 if it is not such an id."""
    return int(item_id.rpartition("-")[2][:12]) if _ID.fullmatch(item_id) else 0


def iter_objects(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every object of the document with its JSON path, outer ones first."""
    found: list[tuple[str, Mapping[str, Any]]] = []
    _collect_objects(value, "$", 0, found)
    return iter(found)


def item_text(value: Mapping[str, Any]) -> tuple[str, ...]:
    """The item's own texts in order: strings and lists of strings, without its id, its sources and items inside it."""
    found: list[str] = []
    _collect_texts(value, 0, found)
    return tuple(found)


def item_sources(value: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The (ref, quote) pairs the item cites; malformed ones are left out."""
    sources = value.get(SOURCES)
    if not sources or not isinstance(sources, LISTS):
        return ()
    pairs = ((s.get("ref"), s.get("quote")) for s in map(as_object, sources) if s is not None)
    return tuple((ref, quote) for ref, quote in pairs if isinstance(ref, str) and isinstance(quote, str))


# These three run over every document many times: they recurse into containers only, and collect instead of yielding.


def _collect_items(value: Any, path: str, name: str, depth: int, found: list[Item], *, stored: bool) -> None:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, LISTS):
        for index, part in enumerate(value):
            if isinstance(part, SCALARS):
                continue
            place = f"{path}[{index}]"
            element = as_object(part)
            if element is not None and isinstance(item_id := element.get("id"), str):
                found.append(Item(item_id, id_prefix(item_id), name, place, element))
            _collect_items(part, place, name, depth + 1, found, stored=stored)
    elif (members := as_object(value)) is not None:
        for key in store_order(members) if stored else members:
            part = members[key]
            if not isinstance(part, SCALARS):
                _collect_items(part, f"{path}.{key}", key, depth + 1, found, stored=stored)


def _collect_objects(value: Any, path: str, depth: int, found: list[tuple[str, Mapping[str, Any]]]) -> None:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, LISTS):
        for index, part in enumerate(value):
            if not isinstance(part, SCALARS):
                _collect_objects(part, f"{path}[{index}]", depth + 1, found)
    elif (members := as_object(value)) is not None:
        found.append((path, members))
        for key, part in members.items():
            if not isinstance(part, SCALARS):
                _collect_objects(part, f"{path}.{key}", depth + 1, found)


def _collect_texts(value: Any, depth: int, found: list[str]) -> None:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, LISTS):
        for part in value:
            if isinstance(part, str) or not ((members := as_object(part)) is not None and "id" in members):
                _collect_texts(part, depth + 1, found)
    elif (members := as_object(value)) is not None:
        for key, part in members.items():
            if key not in _NO_TEXT:
                _collect_texts(part, depth + 1, found)


def is_too_deep(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether a JSON value is nested deeper than that; by default, than anything walks. Needs no recursion itself."""
    level = [value]
    for _ in range(limit + 1):
        level = [inner for part in level for inner in _parts(part)]
        if not level:
            return False
    return True


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, SCALARS):
        return ()
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, LISTS):
        return value
    return value.values() if isinstance(value, Mapping) else ()

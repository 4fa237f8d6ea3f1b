"""Items: the elements of a document that have an id, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SOURCES = "sources"
"""The field in which an item cites what it comes from."""
MAX_DEPTH = 40
"""Deeper parts of a document are not walked; no schema of ours comes near."""

_ID = re.compile(r"([A-Z]{1,8})-[0-9]+")


@dataclass(frozen=True, slots=True)
class Item:
    """One element with an id."""

    id: str
    prefix: str
    """The part before the hyphen, e.g. ``FR``; empty if the id has another form."""
    list_name: str
    """Name of the array it stands in, e.g. ``functional_requirements``."""
    path: str
    """JSON path, e.g. ``$.functional_requirements[0]``."""
    value: Mapping[str, Any]


def iter_items(document: Mapping[str, Any]) -> Iterator[Item]:
    """Every element with a string ``id`` in any array of the document, in document order."""
    for path, name, value in _elements(document, "$", "", 0):
        item_id = value.get("id")
        if isinstance(item_id, str):
            yield Item(item_id, id_prefix(item_id), name, path, value)


def id_prefix(item_id: str) -> str:
    """``FR`` of ``FR-012``; empty if it is no such id."""
    found = _ID.fullmatch(item_id)
    return found.group(1) if found else ""


def id_number(item_id: str) -> int:
    """12 of ``FR-012``; 0 if it is no such id."""
    return int(item_id.rpartition("-")[2][:12]) if _ID.fullmatch(item_id) else 0


def iter_objects(value: Any, path: str = "$", depth: int = 0) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every object of the document with its JSON path, outer ones first."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        yield path, value
        for name, part in value.items():
            yield from iter_objects(part, f"{path}.{name}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from iter_objects(part, f"{path}[{index}]", depth + 1)


def item_text(value: Mapping[str, Any]) -> tuple[str, ...]:
    """The item's own texts in order: strings and lists of strings, without its id, its sources and items inside it."""
    return tuple(_texts(value, 0))


def item_sources(value: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The (ref, quote) pairs the item cites; malformed ones are left out."""
    sources = value.get(SOURCES)
    if not isinstance(sources, list | tuple):
        return ()
    pairs = ((s.get("ref"), s.get("quote")) for s in sources if isinstance(s, Mapping))
    return tuple((ref, quote) for ref, quote in pairs if isinstance(ref, str) and isinstance(quote, str))


def _elements(value: Any, path: str, name: str, depth: int) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _elements(part, f"{path}.{key}", key, depth + 1)
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            place = f"{path}[{index}]"
            if isinstance(part, Mapping):
                yield place, name, part
            yield from _elements(part, place, name, depth + 1)


def _texts(value: Any, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if key not in ("id", SOURCES):
                yield from _texts(part, depth + 1)
    elif isinstance(value, list | tuple):
        for part in value:
            if not (isinstance(part, Mapping) and "id" in part):
                yield from _texts(part, depth + 1)


def is_too_deep(value: Any) -> bool:
    """Whether a JSON value is nested deeper than anything walks. Needs no recursion itself."""
    waiting = [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        if depth > MAX_DEPTH:
            return True
        if isinstance(part, Mapping):
            waiting.extend((inner, depth + 1) for inner in part.values())
        elif isinstance(part, list | tuple):
            waiting.extend((inner, depth + 1) for inner in part)
    return False

"""What all drafters share: lists of items that get their ids at the end, and declared assumptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from combine.documents.words import word_count
from combine.drafter.ids import Ids
from combine.drafter.text import quote

JsonDict = dict[str, Any]
Source = dict[str, str]

MAX_SOURCES = 4


class Assumptions:
    """The assumptions one document declares, in the order in which they were needed."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self.items: list[JsonDict] = []

    def declare(self, text: str, reason: str) -> str:
        """The id under which this is assumed; the same text is declared once."""
        for item in self.items:
            if item["text"] == text:
                return str(item["id"])
        (number,) = self._ids.give("ASM", [text])
        self.items.append({"id": number, "text": text, "reason": reason})
        return number

    def source(self, number: str) -> Source:
        """A source that cites one of them."""
        text = next(item["text"] for item in self.items if item["id"] == number)
        return {"ref": number, "quote": quote(text)}


def numbered(ids: Ids, prefix: str, field: str, items: Sequence[JsonDict]) -> list[JsonDict]:
    """The items with ids in front, in order; ``field`` is what tells them apart."""
    given = ids.give(prefix, [str(item[field]) for item in items])
    return [{"id": number, **item} for number, item in zip(given, items, strict=True)]


def distinct(items: Iterable[JsonDict], field: str) -> list[JsonDict]:
    """The items without those whose field says the same as an earlier one's."""
    kept: dict[str, JsonDict] = {}
    for item in items:
        kept.setdefault(str(item[field]).casefold(), item)
    return list(kept.values())


def cite(item: Mapping[str, Any], *fields: str) -> Source:
    """A source that cites an upstream item by the first of its fields that says enough."""
    texts = [str(item[f]) for f in fields if item.get(f)]
    best = next((t for t in texts if word_count(t) >= 3), texts[0])  # noqa: PLR2004
    return {"ref": str(item["id"]), "quote": quote(best)}


def merged(*groups: Iterable[Source]) -> list[Source]:
    """Sources without repeats, at most four."""
    seen: dict[tuple[str, str], Source] = {}
    for source in (s for group in groups for s in group):
        seen.setdefault((source["ref"], source["quote"]), source)
    return list(seen.values())[:MAX_SOURCES]

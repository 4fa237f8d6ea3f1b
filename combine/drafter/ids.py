"""Numbers for items: the same thing keeps the id it had, a new thing takes the next free one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from combine.documents.items import id_number, id_prefix, iter_items
from combine.documents.quotes import fold
from combine.documents.words import distinct_words, overlap
from combine.prompts.builder import PromptSections

SAME = 0.7
"""Share of common words from which two texts name the same thing."""

_KEY_FIELDS = ("description", "text", "title", "name", "entity", "system", "responsibility")
_NAMED_BY = {"STK": "name", "CMP": "name", "ADR": "title", "DR": "entity", "IR": "system"}
_ID = re.compile(r"\b[A-Z]{1,8}-\d+\b")


class Ids:
    """Gives ids for one document."""

    def __init__(self, sections: PromptSections) -> None:
        self._previous = list(_keyed(sections.previous)) if sections.previous else []
        self._next = {prefix: int(number) for prefix, number in sections.next_ids.items()}
        for taken in _taken(sections):
            prefix = id_prefix(taken)
            self._next[prefix] = max(self._next.get(prefix, 1), id_number(taken) + 1)

    def give(self, prefix: str, keys: Sequence[str]) -> list[str]:
        """One id for each text; texts that the previous version had keep its ids."""
        given: dict[int, str] = {}
        for is_same in (_equal, _alike):
            for number, key in enumerate(keys):
                if number not in given and (found := self._take(prefix, key, is_same)):
                    given[number] = found
        return [given.get(number) or self._new(prefix) for number in range(len(keys))]

    def _take(self, prefix: str, key: str, is_same: Any) -> str:
        for number, (known, text) in enumerate(self._previous):
            if id_prefix(known) == prefix and is_same(text, key):
                del self._previous[number]
                return known
        return ""

    def _new(self, prefix: str) -> str:
        number = self._next.get(prefix, 1)
        self._next[prefix] = number + 1
        return f"{prefix}-{number:03d}"


def _keyed(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for item in iter_items(document):
        field = _NAMED_BY.get(item.prefix) or next((f for f in _KEY_FIELDS if f in item.value), "")
        yield item.id, str(item.value.get(field, ""))


def _taken(sections: PromptSections) -> Iterator[str]:
    for answer in sections.answers:
        if answer.get("assumption"):
            yield str(answer["assumption"])
    draft = sections.draft if isinstance(sections.draft, Mapping) else {}
    for document in (*sections.documents.values(), sections.previous or {}, draft):
        yield from (item.id for item in iter_items(document))


def _plain(text: str) -> str:
    return fold(_ID.sub("", text))


def _equal(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)


def _alike(one: str, other: str) -> bool:
    return overlap(distinct_words(one), distinct_words(other)) >= SAME

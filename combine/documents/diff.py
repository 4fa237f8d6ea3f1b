"""What changed between two versions of a document, item by item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from combine.documents.items import MAX_DEPTH, SOURCES, Item, iter_items


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field whose value has changed."""

    path: str
    """Inside the item by name (``metric``, ``details.unit``), outside items as a JSON path."""
    old: object
    """None if the field was not there, or an empty list."""
    new: object
    """None if the field is gone, or an empty list."""


@dataclass(frozen=True, slots=True)
class ItemChange:
    """An item that has the same ID in both versions, and other changes."""

    old: Item
    new: Item
    fields: tuple[FieldChange, ...]

    @property
    def id(self) -> str:
        """The ID that both have."""
        return self.new.id


@dataclass(frozen=True, slots=True)
class DocumentDiff:
    """All differences. The order of keys and of items in a list is ignored."""

    added: tuple[Item, ...]
    """In the new document's order."""
    removed: tuple[Item, ...]
    """In the old document's order."""
    changed: tuple[ItemChange, ...]
    """In the new document's order."""
    fields: tuple[FieldChange, ...]
    """Fields outside items; a list without items is one field."""

    @property
    def is_empty(self) -> bool:
        """Whether there are no differences."""
        return not (self.added or self.removed or self.changed or self.fields)


def diff_documents(old: Mapping[str, Any], new: Mapping[str, Any]) -> DocumentDiff:
    """Compare two contents of one document type."""
    before = {item.id: item for item in iter_items(old)}
    after = {item.id: item for item in iter_items(new)}
    changed = []
    for item_id, item in after.items():
        if item_id in before:
            fields = tuple(_field_changes(before[item_id].value, item.value, ""))
            if fields:
                changed.append(ItemChange(before[item_id], item, fields))
    return DocumentDiff(
        added=tuple(item for item_id, item in after.items() if item_id not in before),
        removed=tuple(item for item_id, item in before.items() if item_id not in after),
        changed=tuple(changed),
        fields=tuple(_field_changes(old, new, "$.")),
    )


def _field_changes(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str, depth: int = 0
) -> Iterator[FieldChange]:
    for key in [*old, *(key for key in new if key not in old)]:
        was, now = _without_items(old.get(key)), _without_items(new.get(key))
        if isinstance(was, Mapping) and isinstance(now, Mapping) and depth < MAX_DEPTH:
            yield from _field_changes(was, now, f"{prefix}{key}.", depth + 1)
        elif not (_same_sources(was, now) if key == SOURCES else _same(was, now)):
            yield FieldChange(f"{prefix}{key}", was, now)


def diff_briefs(old: Mapping[str, Any], new: Mapping[str, Any]) -> DocumentDiff:
    """Compare two briefs by the words of their sentences: a sentence that only changed its number is the same."""
    before, after = _sentences(old), _sentences(new)
    return DocumentDiff(added=_beyond(after, before), removed=_beyond(before, after), changed=(), fields=())


def _sentences(brief: Mapping[str, Any]) -> list[Item]:
    return [
        Item(s["id"], "B", "sentences", f"$.sentences[{n}]", {"id": s["id"], "text": s["text"]})
        for n, s in enumerate(brief["sentences"])
    ]


def _beyond(items: list[Item], others: list[Item]) -> tuple[Item, ...]:
    """Those whose text the others do not contain, or not as often."""
    left = Counter(other.value["text"] for other in others)
    found = []
    for item in items:
        left[item.value["text"]] -= 1
        if left[item.value["text"]] < 0:
            found.append(item)
    return tuple(found)


def _same_sources(one: Any, other: Any) -> bool:
    """Sentences of the brief get new numbers when one is added before them; the quote says that it is the same one."""
    return _same(_unnumbered(one), _unnumbered(other))


def _unnumbered(sources: Any) -> Any:
    if not isinstance(sources, list | tuple):
        return sources
    return [
        {**source, "ref": "B"} if isinstance(source, Mapping) and str(source.get("ref")).startswith("B-") else source
        for source in sources
    ]


def _without_items(value: Any) -> Any:
    """The value itself, or None for a list of nothing but items, which are compared one by one."""
    if isinstance(value, list | tuple) and all(isinstance(part, Mapping) and "id" in part for part in value):
        return None
    return value


def _same(one: Any, other: Any) -> bool:
    # In Python True == 1; in a document they are different things.
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)

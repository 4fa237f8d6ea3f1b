"""The sections of a document as Markdown, led by its schema: tables if a row fits on a line, blocks otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from combine.documents import schema_walk
from combine.documents.items import SOURCES
from combine.documents.markdown_text import anchor, escape, humanised, linked
from combine.documents.schema_walk import JsonObject

MAX_TABLE_FIELDS = 4
"""Items with more fields than this are rendered as blocks, except for the lists named below."""
NAMES = ("title", "name", "entity", "system")
"""The first of these that an item has is its heading."""
AS_TABLE = frozenset({"stakeholders", "data_requirements"})
AS_BLOCKS = frozenset({"findings"})
FACTS = frozenset({"document", "item"})
"""Short fields that go on the line of facts, together with enums."""
UNLABELLED = ("description", "summary", "responsibility")
"""The text that says what an item is comes first, without a label."""
STORY = ("as_a", "i_want", "so_that")
VERDICT_FIRST = ("overall_assessment", "recommendation", "document_reviews")
"""A model writes its verdict last; readers want it first."""


@dataclass(slots=True)
class Footnotes:
    """The sources cited so far; equal ones share a number."""

    numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def marks(self, sources: object) -> str:
        """``[^1][^2]`` for a list of sources."""
        return "".join(f"[^{self._number(s)}]" for s in sources) if isinstance(sources, list | tuple) else ""

    def _number(self, source: JsonObject) -> int:
        key = (str(source.get("ref", "")), str(source.get("quote", "")))
        return self.numbers.setdefault(key, len(self.numbers) + 1)


@dataclass(frozen=True, slots=True)
class Body:
    """Renders one document's sections."""

    schema: JsonObject
    anchors: frozenset[str]
    """Ids that have a place on the page."""
    notes: Footnotes

    def sections(self, content: JsonObject) -> Iterator[tuple[str, str, list[str]]]:
        """(field, heading, blocks) of every top-level field, in their order but for the verdict."""
        known = schema_walk.properties(self.schema, self.schema)
        first = [n for n in VERDICT_FIRST if n in content] if "overall_assessment" in content else []
        for name in [*first, *(n for n in content if n not in first)]:
            part = known.get(name, {})
            blocks = list(self._field(name, content[name], part))
            yield name, heading(name, part), blocks or ["None."]

    def _field(self, name: str, value: Any, part: JsonObject) -> Iterator[str]:
        if isinstance(value, Mapping):
            yield from self._object(value, part)
        elif isinstance(value, list):
            yield from self._list(name, value, schema_walk.element(self.schema, part))
        elif _filled(value):
            yield self._inline(value)

    def _list(self, name: str, values: Sequence[Any], part: JsonObject) -> Iterator[str]:
        rows = [v for v in values if isinstance(v, Mapping)]
        if len(rows) < len(values):
            yield "\n".join(f"- {self._inline(v)}" for v in values)
        elif rows and _fits_table(name, rows):
            yield self._table(rows, part)
        else:
            for row in rows:
                yield from self._item(row, part)

    def _table(self, rows: Sequence[JsonObject], part: JsonObject) -> str:
        known = schema_walk.properties(self.schema, part)
        with_id = any("id" in row for row in rows)
        names = _columns(rows)
        titles = ["ID"] * with_id + [escape(heading(n, known.get(n, {}))) for n in names] or ["ID"]
        lines = ["| " + " | ".join(titles) + " |", "| " + " | ".join("---" for _ in titles) + " |"]
        for row in rows:
            cells = [self._inline(row.get(n), known.get(n), separator="<br>") for n in names]
            lines.append("| " + " | ".join(self._marked(row, cells, with_id=with_id) or [""]) + " |")
        return "\n".join(lines)

    def _marked(self, row: JsonObject, cells: list[str], *, with_id: bool) -> list[str]:
        """The cells of a row with its footnotes after the id, or after the last cell."""
        mark = self._marks(row)
        if with_id:
            return [_id(row) + mark, *cells]
        return [*cells[:-1], "".join(cells[-1:]) + mark] if mark else cells

    def _item(self, row: JsonObject, part: JsonObject) -> Iterator[str]:
        name = next((n for n in NAMES if isinstance(row.get(n), str) and row[n].strip()), None)
        title = escape(row[name]) if name else ""
        yield f"### {_id(row)} {title}".rstrip() if "id" in row else f"### {title or 'Entry'}"
        yield from self._object({k: v for k, v in row.items() if k not in ("id", name)}, part, marks=self._marks(row))

    def _object(self, value: JsonObject, part: JsonObject, marks: str | None = None) -> Iterator[str]:
        """Facts on one line, the main text plain, everything else under its label."""
        marks = self._marks(value) if marks is None else marks
        known = schema_walk.properties(self.schema, part)
        fields = _shown(value)
        facts = [n for n, v in fields.items() if _is_fact(n, v, known.get(n, {}))]
        if facts:
            yield " · ".join(f"{heading(n, known.get(n, {}))}: {self._inline(fields[n], known.get(n))}" for n in facts)
        if all(isinstance(fields.get(n), str) for n in STORY):
            yield self._story(fields) + marks
            marks, facts = "", [*facts, *STORY]
        rest = [n for n in fields if n not in facts]
        for n in sorted(rest, key=lambda n: n not in (*UNLABELLED, "decision")):
            block = self._labelled(n, fields[n], known.get(n, {}))
            if marks and isinstance(fields[n], str):
                block, marks = block + marks, ""
            yield block
        if marks:
            yield f"Sources: {marks}"

    def _labelled(self, name: str, value: Any, part: JsonObject) -> str:
        label = f"**{escape(heading(name, part))}:**"
        if name in UNLABELLED and not isinstance(value, list):
            return self._inline(value)
        if isinstance(value, list) and not all(_is_id(v) for v in value):
            return "\n".join([label, "", *(f"- {self._inline(v)}" for v in value)])
        return f"{label} {self._inline(value)}"

    def _story(self, fields: JsonObject) -> str:
        who, want, why = (self._inline(fields[n]) for n in STORY)
        return f"As a {who}, I want {want}, so that {why}"

    def _inline(self, value: Any, part: JsonObject | None = None, *, separator: str = ", ") -> str:
        """Any value on one line; one of a list of values loses its underscores."""
        if isinstance(value, Mapping):
            parts = (f"{escape(humanised(n))}: {self._inline(v, separator='; ')}" for n, v in _shown(value).items())
            return "; ".join(parts) + self._marks(value)
        if isinstance(value, list):
            return separator.join(self._inline(v, separator="; ") for v in value)
        if isinstance(value, bool):
            return "yes" if value else "no"
        text = str(value).replace("_", " ") if part and "enum" in part else str(value)
        return "" if value is None else linked(text, self.anchors)

    def _marks(self, value: JsonObject) -> str:
        return self.notes.marks(value[SOURCES]) if _cited(SOURCES, value) else ""


def heading(name: str, part: JsonObject) -> str:
    """A field's title in the schema, or its name made readable."""
    title = part.get("title")
    return title if isinstance(title, str) and title.strip() else humanised(name)


def _id(row: JsonObject) -> str:
    text = str(row.get("id", ""))
    return anchor(text) + escape(text)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and bool(anchor(value))


def _filled(value: Any) -> bool:
    return isinstance(value, bool | int | float) or bool(value and (not isinstance(value, str) or value.strip()))


def _is_fact(name: str, value: Any, part: JsonObject) -> bool:
    return "enum" in part or (name in FACTS and isinstance(value, str))


def _shown(value: JsonObject) -> dict[str, Any]:
    """The fields that are not empty, without the sources that become footnotes."""
    return {n: v for n, v in value.items() if _filled(v) and not _cited(n, value)}


def _columns(rows: Sequence[JsonObject]) -> list[str]:
    """The fields that any row fills, in the order in which they first appear."""
    names = dict.fromkeys(n for row in rows for n in row if n != "id" and not _cited(n, row))
    return [n for n in names if any(_filled(row.get(n)) for row in rows)]


def _cited(name: str, value: JsonObject) -> bool:
    """Whether this field holds sources, which become footnotes."""
    sources = value.get(SOURCES)
    shaped = isinstance(sources, list | tuple) and all(
        isinstance(s, Mapping) and set(s) == {"ref", "quote"} and all(isinstance(v, str) for v in s.values())
        for s in sources
    )
    return name == SOURCES and shaped


def _fits_table(name: str, rows: Sequence[JsonObject]) -> bool:
    if name in AS_TABLE or name in AS_BLOCKS:
        return name in AS_TABLE
    fields = {n for row in rows for n in row if n != "id" and not _cited(n, row)}
    nested = any(isinstance(row.get(n), list | Mapping) for row in rows for n in fields)
    return len(fields) <= MAX_TABLE_FIELDS and not nested

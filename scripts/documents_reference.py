"""Writes docs/reference/documents.md: the fields of the documents that ship, from their JSON Schemas.

``python scripts/documents_reference.py`` writes the page; ``--check`` exits 1 if the page is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from combine.workflows.catalog import load_catalog

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "documents.md"
HEAD = """\
# Documents

The fields of the documents in the workflow `strategy-document`. This page is generated from the JSON Schemas in
`combine/seed/schemas/strategy/` by `python scripts/documents_reference.py`; a test compares them. `*` marks required
fields; unknown fields are rejected. Size is the length that the model is asked for (words of a text, or entries of a
list); the number in brackets is the maximum that code accepts.

IDs are unique within a project and type, and are kept across versions. `ASM-` numbers are consecutive across all
documents, because any document may cite them. A source is `{ref, quote}`: `ref` names a sentence of the brief (`B-5`),
an answer (`Q-1`), an item of an earlier document, or an assumption, and code has verified that `quote` occurs in it.
"""
Node = Mapping[str, Any]


def rows(root: Node, node: Node, path: str = "") -> Iterator[tuple[str, str, str, str]]:
    """(path, form, size, meaning) of every field below ``node``; the fields of sources are described once, above."""
    for name, part in node.get("properties", {}).items():
        star = "*" if name in node.get("required", ()) else ""
        field = _resolved(root, part)
        shown = f"{path}{name}{'[]' if field.get('type') == 'array' else ''}"
        yield f"`{shown}`{star}", _form(root, field), _size(root, field), str(field.get("description", ""))
        if name != "sources":
            yield from rows(root, field, f"{shown}.")
            yield from rows(root, _resolved(root, field.get("items", {})), f"{shown}.")


def _resolved(root: Node, node: Node) -> Node:
    target: Node = root
    if "$ref" not in node:
        return node
    for name in node["$ref"].removeprefix("#/").split("/"):
        target = target[name]
    return target


def _form(root: Node, field: Node) -> str:
    if "enum" in field:
        return ", ".join(field["enum"])
    if "pattern" in field:
        return f"`{field['pattern'].strip('^$').replace('|', '&#124;')}`"
    if field.get("type") == "array":
        element = _resolved(root, field.get("items", {}))
        return "list" if "properties" in element else f"list of {_form(root, element)}"
    return {"string": "text", "object": "object"}.get(str(field.get("type")), str(field.get("type", "")))


def _size(root: Node, field: Node) -> str:
    found = []
    for part, unit in (
        (field.get("x-count"), ""),
        (field.get("x-words"), " words"),
        (_each(root, field), " words each"),
    ):
        if part:
            ask = part["ask"]
            found.append(f"{'-'.join(map(str, ask)) if isinstance(ask, list) else ask}{unit} ({part['reject']})")
    return "; ".join(found)


def _each(root: Node, field: Node) -> Any:
    return _resolved(root, field.get("items", {})).get("x-words") if field.get("type") == "array" else None


def render() -> str:
    """The whole page, documents in the order of the steps."""
    catalog = load_catalog(None)
    parts = [HEAD]
    for step in catalog.workflow("strategy-document").steps:
        asset = catalog.schema(step.output)
        lines = [
            f"| {' | '.join(cell.replace(chr(10), ' ') for cell in row)} |" for row in rows(asset.schema, asset.schema)
        ]
        head = f"## {step.output}\n\n{asset.schema['description']} Written by the role {step.role}.\n\n"
        parts.append(
            head + "\n".join(["| field | form | size | meaning |", "| --- | --- | --- | --- |", *lines]) + "\n"
        )
    return "\n".join(parts)


def main() -> int:
    """Write the page, or compare it with ``--check``."""
    page = render()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == page:
        return 0
    print("docs/reference/documents.md is out of date: run python scripts/documents_reference.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())

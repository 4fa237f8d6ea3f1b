"""``combine docs``: list, show, compare and export documents."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from combine.brief.brief import BRIEF_TYPE
from combine.cli.backend import choose_backend
from combine.cli.exit_codes import ExitCode
from combine.cli.files import prepare_folder, write_export
from combine.cli.formatting import as_json, count, short, table
from combine.cli.ports import ReadServices
from combine.cli.runtime import put
from combine.documents.diff import FieldChange
from combine.documents.items import Item, item_text
from combine.documents.statuses import DocumentStatus
from combine.errors import Invalid, NotFound
from combine.services.views import DocumentChanges, DocumentDetail, DocumentExport, DocumentView

_NAME_FIELDS = ("title", "name", "entity", "system", "i_want", "description", "text", "responsibility")
_LINK = re.compile(r"\[([^\]]+)\]\(#[^)]*\)")
_ANCHOR = re.compile(r'<a id="[^"]*"></a>')
_FOOTNOTE = re.compile(r"^\[\^(\d+)\]: ", re.MULTILINE)
_FOOTNOTE_REF = re.compile(r"\[\^(\d+)\]")


async def list_documents(
    project: str | None, document_type: str | None, status: DocumentStatus | None, *, json: bool
) -> int:
    """Documents and their versions, newest first."""
    async with choose_backend().reading() as services:
        found = await services.documents.list(project, document_type, status)
        unknown_type = (
            document_type is not None and not found and not await services.documents.list(None, document_type, None)
        )
    if document_type is not None and unknown_type:
        await _check_type(document_type)
    if json:
        put(as_json([asdict(one) for one in found]))
        return ExitCode.COMPLETED
    if not found:
        filtered = project is not None or document_type is not None or status is not None
        put("No matching documents." if filtered else "No documents. Create some with: combine run BRIEF")
        return ExitCode.COMPLETED
    rows = [
        (
            short(one.id),
            one.project,
            one.type,
            str(one.version),
            one.status,
            one.model or one.origin,
            f"{one.created_at:%Y-%m-%d %H:%M}",
        )
        for one in found
    ]
    for line in table(
        ("ID", "PROJECT", "TYPE", "VERSION", "STATUS", "MODEL", "CREATED (UTC)"), rows, right=frozenset({3})
    ):
        put(line)
    return ExitCode.COMPLETED


async def _check_type(document_type: str) -> None:
    """Raises NotFound for a type that no workflow produces."""
    async with choose_backend().workflows() as workflows:
        types = {kind for one in await workflows.list() for step in one.definition["steps"] for kind in step["outputs"]}
    known = (*sorted(types), BRIEF_TYPE)
    if document_type not in known:
        raise NotFound(
            f"Unknown document type {document_type!r}.",
            code="document_type_not_found",
            hint=f"Known types: {', '.join(known)}.",
        )


async def show(document: str, project: str | None, version: int | None, *, json: bool) -> int:
    """One document: formatted in a terminal, Markdown in a pipe."""
    async with choose_backend().reading() as services:
        if json:
            detail = await services.documents.get(document, project, version)
            put(as_json(_with_provenance(detail)))
            return ExitCode.COMPLETED
        export = await services.documents.export(document, project, version)
    if sys.stdout.isatty():
        Console().print(Markdown(for_terminal(export.markdown), hyperlinks=False))
    else:
        put(export.markdown.rstrip("\n"))
    return ExitCode.COMPLETED


def for_terminal(markdown: str) -> str:
    """The Markdown without what only a browser can use: anchors, and footnotes as links."""
    text = _FOOTNOTE.sub(lambda found: f"- ({found[1]}) ", _ANCHOR.sub("", _LINK.sub(r"\1", markdown)))
    return _FOOTNOTE_REF.sub(lambda found: f" ({found[1]})", text)


def _with_provenance(detail: DocumentDetail) -> dict[str, Any]:
    """The version with its provenance and its content."""
    provenance = {
        "revision": detail.revision,
        "attempt": detail.attempt,
        "calls": detail.call_ids,
        "inputs": detail.input_ids,
        "prompt_sha256": detail.prompt_sha256,
        "assets": detail.assets,
    }
    return {**asdict(detail.document), "provenance": provenance, "content": detail.content}


async def diff(document_type: str, project: str | None, old: int | None, new: int | None, *, json: bool) -> int:
    """The changes between two versions, item by item."""
    async with choose_backend().reading() as services:
        changes = await services.documents.diff(document_type, project, old, new)
    put(as_json(_as_object(changes)) if json else "\n".join(diff_as_text(changes)))
    return ExitCode.COMPLETED


def _as_object(changes: DocumentChanges) -> dict[str, Any]:
    def fields(found: tuple[FieldChange, ...]) -> list[dict[str, Any]]:
        return [asdict(one) for one in found]

    return {
        "project": changes.new.project,
        "type": changes.new.type,
        "old_version": changes.old.version,
        "new_version": changes.new.version,
        "added": [item.value for item in changes.diff.added],
        "removed": [item.value for item in changes.diff.removed],
        "changed": [{"id": change.id, "fields": fields(change.fields)} for change in changes.diff.changed],
        "fields": fields(changes.diff.fields),
    }


def diff_as_text(changes: DocumentChanges) -> Iterator[str]:
    """The changes as lines: + added, - removed, ~ changed."""
    diff_ = changes.diff
    title = f"{changes.new.type} of {changes.new.project!r}, version {changes.old.version} to {changes.new.version}"
    if diff_.is_empty:
        yield f"{title}: no changes"
        return
    yield (
        f"{title}: {len(diff_.added)} added, {len(diff_.removed)} removed, {count(len(diff_.changed), 'item')} changed"
    )
    for item in diff_.added:
        yield f"+ {item.id}  {_gist(item)}"
    for item in diff_.removed:
        yield f"- {item.id}  {_gist(item)}"
    for change in diff_.changed:
        yield f"~ {change.id}  {_gist(change.new)}"
        yield from _field_lines(change.fields, "    ")
    if diff_.fields:
        yield "~ other fields"
        yield from _field_lines(diff_.fields, "    ")


def _gist(item: Item) -> str:
    """The name of the item, or its text."""
    named = (item.value.get(name) for name in _NAME_FIELDS)
    texts = [text for text in named if isinstance(text, str) and text] or item_text(item.value)
    return texts[0] if texts else ""


def _field_lines(changes: tuple[FieldChange, ...], indent: str) -> Iterator[str]:
    for change in changes:
        yield f"{indent}{change.path.removeprefix('$.')}"
        old, new = _parts(change.old), _parts(change.new)
        yield from (f"{indent}  - {part}" for part in old if part not in new)
        yield from (f"{indent}  + {part}" for part in new if part not in old)
        if sorted(old) == sorted(new):
            yield f"{indent}  order changed"


def _parts(value: object) -> list[str]:
    """A value as lines, one per entry of a list."""
    if value is None:
        return []
    return [_value(part) for part in value] if isinstance(value, list | tuple) else [_value(value)]


def _value(value: object) -> str:
    if isinstance(value, dict) and value.keys() == {"ref", "quote"}:
        return f"{value['ref']}: “{value['quote']}”"
    return value if isinstance(value, str) else dumps(value, ensure_ascii=False)


async def _print(
    document: str | None, project: str | None, version: int | None, form: str | None, *, json: bool
) -> int:
    if json and form == "md":
        raise Invalid(
            "--json cannot print Markdown to stdout.",
            code="out_missing",
            hint="Remove --json or --format md, or add --out.",
        )
    if document is None:
        raise Invalid(
            "Only a single document can be written to stdout.",
            code="out_missing",
            hint="Specify a document, or add --out.",
        )
    async with choose_backend().reading() as services:
        found = await services.documents.export(document, project, version)
    as_json_text = form == "json" or (json and form is None)
    put((found.json_text if as_json_text else found.markdown).rstrip("\n"))
    return ExitCode.COMPLETED


async def export(
    document: str | None, project: str | None, version: int | None, form: str | None, out: Path | None, *, json: bool
) -> int:
    """Write documents to files, or a single one to stdout."""
    if out is None:
        return await _print(document, project, version, form, json=json)
    prepare_folder(out)
    async with choose_backend().reading() as services:
        exports = [
            await services.documents.export(one, project, version) for one in await _chosen(services, document, project)
        ]
    _write(exports, out, form, json=json)
    return ExitCode.COMPLETED


def _write(exports: list[DocumentExport], out: Path, form: str | None, *, json: bool) -> None:
    written = []
    for one in exports:
        paths = write_export(one, out, (form,) if form else ("json", "md"))
        written += [{"type": one.document.type, "version": one.document.version, "path": str(path)} for path in paths]
    put(as_json(written) if json else "\n".join(str(entry["path"]) for entry in written))


async def _chosen(services: ReadServices, document: str | None, project: str | None) -> list[str]:
    """The document asked for, or all active documents of the project."""
    if document is not None:
        return [document]
    active: list[DocumentView] = list(await services.documents.list(project, status=DocumentStatus.ACTIVE))
    projects = sorted({one.project for one in active})
    if len(projects) > 1:
        raise Invalid(
            f"There are documents in {count(len(projects), 'project')}: {', '.join(projects)}.",
            code="project_needed",
            hint="Choose one with --project.",
        )
    if not active:
        raise NotFound(
            "No documents to export.",
            code="document_not_found",
            hint="See the status of executions with `combine list`.",
        )
    return [str(one.id) for one in active]

"""``combine docs``: what there is, one document, what changed, and files to take away."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markdown import Markdown

from combine.brief.brief import BRIEF_TYPE
from combine.cli.exit_codes import ExitCode
from combine.cli.files import write_export
from combine.cli.inputs import prepare_folder
from combine.cli.looking import as_json
from combine.cli.places import the_place
from combine.cli.ports import Reading
from combine.cli.runtime import put
from combine.cli.tables import table
from combine.cli.wording import count, short
from combine.documents.diff import FieldChange
from combine.documents.items import Item, item_text
from combine.documents.statuses import DocumentStatus
from combine.errors import Invalid, NotFound
from combine.services.views import DocumentView

if TYPE_CHECKING:  # costs more to import than a command at a server takes
    from combine.services.documents import DocumentChanges, DocumentDetail, DocumentExport

_NAMING = ("title", "name", "entity", "system", "i_want", "description", "text", "responsibility")
_LINK = re.compile(r"\[([^\]]+)\]\(#[^)]*\)")
_ANCHOR = re.compile(r'<a id="[^"]*"></a>')
_FOOTNOTE = re.compile(r"^\[\^(\d+)\]: ", re.MULTILINE)
_FOOTNOTE_REF = re.compile(r"\[\^(\d+)\]")


async def list_documents(
    project: str | None, document_type: str | None, status: DocumentStatus | None, *, json_: bool
) -> int:
    """Documents and their versions, the newest first."""
    async with the_place().reading() as reading:
        found = await reading.documents.list(project, document_type, status)
        known = found or document_type is None or await reading.documents.list(None, document_type, None)
    if document_type is not None and not known:
        await _need_type(document_type)
    if json_:
        put(as_json([asdict(one) for one in found]))
        return ExitCode.COMPLETED
    if not found:
        asked = project is not None or document_type is not None or status is not None
        put("No such documents." if asked else "No documents. Make some: combine run BRIEF")
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
        ("ID", "PROJECT", "TYPE", "VERSION", "STATUS", "MODEL", "MADE (UTC)"), rows, right=frozenset({3})
    ):
        put(line)
    return ExitCode.COMPLETED


async def _need_type(document_type: str) -> None:
    """Raises NotFound for a type that no workflow makes."""
    async with the_place().workflows() as workflows:
        made = {kind for one in await workflows.list() for step in one.definition["steps"] for kind in step["outputs"]}
    types = (*sorted(made), BRIEF_TYPE)
    if document_type not in types:
        raise NotFound(
            f"There is no document type {document_type!r}.",
            code="document_type_not_found",
            hint=f"Known: {', '.join(types)}.",
        )


async def show(wanted: str, project: str | None, version: int | None, *, json_: bool) -> int:
    """One document: set for reading in a terminal, as Markdown in a pipe."""
    async with the_place().reading() as reading:
        if json_:
            detail = await reading.documents.get(wanted, project, version)
            put(as_json(_with_provenance(detail)))
            return ExitCode.COMPLETED
        export = await reading.documents.export(wanted, project, version)
    if sys.stdout.isatty():
        Console().print(Markdown(for_terminal(export.markdown), hyperlinks=False))
    else:
        put(export.markdown.rstrip("\n"))
    return ExitCode.COMPLETED


def for_terminal(markdown: str) -> str:
    """Without what only a browser can use: anchors, and footnotes as links."""
    text = _FOOTNOTE.sub(lambda found: f"- ({found[1]}) ", _ANCHOR.sub("", _LINK.sub(r"\1", markdown)))
    return _FOOTNOTE_REF.sub(lambda found: f" ({found[1]})", text)


def _with_provenance(detail: DocumentDetail) -> dict[str, Any]:
    """The version, where it comes from, and its content."""
    provenance = {
        "revision": detail.revision,
        "attempt": detail.attempt,
        "calls": detail.call_ids,
        "inputs": detail.input_ids,
        "prompt_sha256": detail.prompt_sha256,
        "assets": detail.assets,
    }
    return {**asdict(detail.document), "provenance": provenance, "content": detail.content}


async def diff(document_type: str, project: str | None, old: int | None, new: int | None, *, json_: bool) -> int:
    """What changed between two versions, item by item."""
    async with the_place().reading() as reading:
        changes = await reading.documents.diff(document_type, project, old, new)
    put(as_json(_as_object(changes)) if json_ else "\n".join(diff_as_text(changes)))
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
    """The same in lines: + added, - removed, ~ changed."""
    diff_ = changes.diff
    title = f"{changes.new.type} of {changes.new.project!r}, version {changes.old.version} to {changes.new.version}"
    if diff_.is_empty:
        yield f"{title}: no difference"
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
        yield "~ outside of items"
        yield from _field_lines(diff_.fields, "    ")


def _gist(item: Item) -> str:
    """What the item is about: its name, or what it says."""
    named = (item.value.get(name) for name in _NAMING)
    texts = [text for text in named if isinstance(text, str) and text] or item_text(item.value)
    return texts[0] if texts else ""


def _field_lines(changes: tuple[FieldChange, ...], indent: str) -> Iterator[str]:
    for change in changes:
        yield f"{indent}{change.path.removeprefix('$.')}"
        old, new = _parts(change.old), _parts(change.new)
        yield from (f"{indent}  - {part}" for part in old if part not in new)
        yield from (f"{indent}  + {part}" for part in new if part not in old)
        if sorted(old) == sorted(new):
            yield f"{indent}  in another order"


def _parts(value: object) -> list[str]:
    """A value in lines: each entry of a list is one."""
    if value is None:
        return []
    return [_value(part) for part in value] if isinstance(value, list | tuple) else [_value(value)]


def _value(value: object) -> str:
    if isinstance(value, dict) and value.keys() == {"ref", "quote"}:
        return f"{value['ref']}: “{value['quote']}”"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


async def export(
    wanted: str | None, project: str | None, version: int | None, form: str | None, out: Path | None, *, json_: bool
) -> int:
    """Documents as files, or one on stdout."""
    if out is not None:
        prepare_folder(out)
    elif json_ and form == "md":
        raise Invalid(
            "Markdown on stdout is no JSON.",
            code="out_missing",
            hint="Leave out --json or --format, or give --out.",
        )
    elif wanted is None:
        raise Invalid(
            "Without --out only one document can be printed.", code="out_missing", hint="Name it, or give --out."
        )
    async with the_place().reading() as reading:
        if out is None:
            assert wanted is not None  # checked above
            found = await reading.documents.export(wanted, project, version)
            as_data = form == "json" or (json_ and form is None)
            put((found.json_text if as_data else found.markdown).rstrip("\n"))
            return ExitCode.COMPLETED
        exports = [
            await reading.documents.export(one, project, version) for one in await _chosen(reading, wanted, project)
        ]
    _write(exports, out, form, json_=json_)
    return ExitCode.COMPLETED


def _write(exports: list[DocumentExport], out: Path, form: str | None, *, json_: bool) -> None:
    written = []
    for one in exports:
        paths = write_export(one, out, (form,) if form else ("json", "md"))
        written += [{"type": one.document.type, "version": one.document.version, "path": str(path)} for path in paths]
    put(as_json(written) if json_ else "\n".join(str(entry["path"]) for entry in written))


async def _chosen(reading: Reading, wanted: str | None, project: str | None) -> list[str]:
    """The document asked for, or every document that counts in the project."""
    if wanted is not None:
        return [wanted]
    active: list[DocumentView] = list(await reading.documents.list(project, status=DocumentStatus.ACTIVE))
    projects = sorted({one.project for one in active})
    if len(projects) > 1:
        raise Invalid(
            f"There are documents of {count(len(projects), 'project')}: {', '.join(projects)}.",
            code="project_needed",
            hint="Name one with --project.",
        )
    if not active:
        raise NotFound(
            "There is no document to export.",
            code="document_not_found",
            hint="`combine list` shows how far executions are.",
        )
    return [str(one.id) for one in active]

"""``combine workflows``: list workflows, draw their graphs and validate definitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from combine.cli.backend import choose_backend
from combine.cli.exit_codes import ExitCode
from combine.cli.formatting import as_json, count, table
from combine.cli.runtime import prepare, put, say
from combine.errors import Invalid
from combine.services.definitions import WorkflowDetail
from combine.workflows.catalog import FileFault, inspect_catalog, without_workflow
from combine.workflows.catalog_folder import parse_json
from combine.workflows.definitions import StepDefinition, WorkflowDefinition, definition_from_json
from combine.workflows.graph import layers

_GAP = "   "
_MAX_WIDTH = 110


async def list_workflows(*, json: bool) -> int:
    """All workflows."""
    async with choose_backend().workflows() as workflows:
        known = await workflows.list()
    if json:
        put(as_json([{**_head(one), "source": one.workflow.source} for one in known]))
        return ExitCode.COMPLETED
    rows = [
        (one.workflow_id, one.version, str(len(one.steps)), one.name, one.source)
        for one in (detail.workflow for detail in known)
    ]
    for line in table(("ID", "VERSION", "STEPS", "NAME", "SOURCE"), rows, right=frozenset({2})):
        put(line)
    return ExitCode.COMPLETED


def _head(detail: WorkflowDetail) -> dict[str, Any]:
    head = {key: value for key, value in detail.definition.items() if key != "steps"}
    return head | {"steps": list(detail.workflow.steps)}


async def show(workflow_id: str, *, json: bool) -> int:
    """One workflow as a graph."""
    async with choose_backend().workflows() as workflows:
        found = await workflows.get(workflow_id)
    if json:
        put(as_json(found.definition))
        return ExitCode.COMPLETED
    workflow = definition_from_json(found.definition)
    put(f"{workflow.workflow_id} {workflow.version}: {workflow.name} ({found.workflow.source})")
    if workflow.description:
        put(workflow.description)
    put(f"At most {count(workflow.max_revisions, 'automatic revision')}.\n")
    for line in draw(workflow):
        put(line)
    return ExitCode.COMPLETED


def validate(path: Path | None, *, json: bool) -> int:
    """Every error in a definition or a directory, with its file, path, message and code."""
    folder = prepare().workflows_dir
    target = path or folder
    faults = _faults(target, folder)
    if json:
        put(as_json({"ok": not faults, "faults": [fault.as_dict() for fault in faults]}))
    elif not faults:
        put(f"{target or 'Built-in workflows'}: no errors")
    else:
        for fault in faults:
            put(f"{fault.file}: {fault.fault.path}: {fault.fault.message} [{fault.fault.code}]")
        say(f"{count(len(faults), 'error')}.")
    return ExitCode.WRONG_USE if faults else ExitCode.COMPLETED


def _faults(target: Path | None, folder: Path | None) -> tuple[FileFault, ...]:
    if target is None:
        return inspect_catalog(None)[1]
    if target.is_dir():
        catalog, faults = inspect_catalog(target)
        return faults or without_workflow(catalog, target)
    return _file_faults(target, folder)


def _file_faults(path: Path, folder: Path | None) -> tuple[FileFault, ...]:
    """A file in a directory of workflows is checked against the prompts and schemas of that directory."""
    inside = path.resolve().parent
    if path.is_file() and path.suffix == ".json" and inside.name == "workflows":
        faults = inspect_catalog(inside.parent)[1]
        return tuple(fault for fault in faults if Path(fault.file).resolve() == path.resolve())
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(
            f"{path} is not valid UTF-8 at byte {error.start}.", code="not_utf8", hint="Save it as UTF-8."
        ) from None
    except OSError as error:
        raise Invalid(
            f"Cannot read {path}: {error.strerror}.",
            code="file_unreadable",
            hint="Specify a definition (a JSON file), or a directory with workflows/, prompts/ and schemas/.",
        ) from None
    raw, fault = parse_json(text)
    if fault is not None:
        return (FileFault(str(path), fault),)
    _, found = inspect_catalog(folder)[0].check(raw)
    return tuple(FileFault(str(path), one) for one in found)


def draw(workflow: WorkflowDefinition) -> Iterator[str]:
    """The graph as lines: one row of boxes per layer; steps in the same row run in parallel. Wide rows are wrapped."""
    rows = [list(_rows([_box(step) for step in layer])) for layer in layers(workflow)]
    width = max(len(line) for layer in rows for row in layer for line in row)
    for number, layer in enumerate(rows):
        if number:
            yield "│".center(width).rstrip()
            yield "▼".center(width).rstrip()
        yield from (line.center(width).rstrip() for row in layer for line in row)


def _rows(boxes: Sequence[list[str]]) -> Iterator[list[str]]:
    row: list[list[str]] = []
    for box in boxes:
        if row and sum(len(one[0]) + len(_GAP) for one in [*row, box]) > _MAX_WIDTH:
            yield _side_by_side(row)
            row = []
        row.append(box)
    yield _side_by_side(row)


def _side_by_side(boxes: Sequence[list[str]]) -> list[str]:
    height = max(len(box) for box in boxes)
    filled = [box + [" " * len(box[0])] * (height - len(box)) for box in boxes]
    return [_GAP.join(parts) for parts in zip(*filled, strict=True)]


def _box(step: StepDefinition) -> list[str]:
    lines = [
        f"{step.step_id} ({step.role})",
        f"reads  {', '.join(('brief', *step.inputs))}",
        f"writes {step.output}",
        *_remarks(step),
    ]
    width = max(map(len, lines))
    return [f"┌{'─' * (width + 2)}┐", *(f"│ {line:<{width}} │" for line in lines), f"└{'─' * (width + 2)}┘"]


def _remarks(step: StepDefinition) -> list[str]:
    remarks = []
    if step.is_final:
        remarks.append("final")
    if step.allow_clarification:
        remarks.append("may ask questions")
    if step.requires_acceptance:
        remarks.append("requires acceptance")
    if step.model:
        remarks.append(step.model)
    if step.fallback_model:
        remarks.append(f"fallback {step.fallback_model}")
    return [", ".join(remarks)] if remarks else []

"""``combine workflows``: which there are, what one looks like, whether a definition is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from combine.cli.drawing import draw
from combine.cli.exit_codes import ExitCode
from combine.cli.looking import as_json
from combine.cli.places import the_place
from combine.cli.runtime import prepare, put, say
from combine.cli.tables import table
from combine.cli.wording import count
from combine.errors import Invalid
from combine.services.definitions import WorkflowDetail
from combine.workflows.catalog import FileFault, inspect_catalog, without_workflow
from combine.workflows.catalog_folder import parse_json
from combine.workflows.definitions import definition_from_json


async def list_workflows(*, json: bool) -> int:
    """All known workflows."""
    async with the_place().workflows() as workflows:
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
    """One workflow, its graph drawn."""
    async with the_place().workflows() as workflows:
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
    """Every fault of a definition or a folder, with its code, its place and its mend."""
    folder = prepare().workflows_dir
    where = path or folder
    if where is None:
        faults: tuple[FileFault, ...] = inspect_catalog(None)[1]
    elif where.is_dir():
        catalog, faults = inspect_catalog(where)
        faults = faults or without_workflow(catalog, where)
    else:
        faults = _of_file(where, folder)
    if json:
        put(as_json({"ok": not faults, "faults": [fault.as_dict() for fault in faults]}))
    elif not faults:
        put(f"{where or 'The workflows that ship with the package'}: no faults")
    for fault in () if json else faults:
        put(f"{fault.file}: {fault.fault.path}: {fault.fault.message} [{fault.fault.code}]")
    if faults and not json:
        say(f"{count(len(faults), 'fault')}.")
    return ExitCode.WRONG_USE if faults else ExitCode.COMPLETED


def _of_file(path: Path, folder: Path | None) -> tuple[FileFault, ...]:
    """A file inside a folder of workflows is checked with that folder's prompts and schemas."""
    inside = path.resolve().parent
    if path.is_file() and path.suffix == ".json" and inside.name == "workflows":
        faults = inspect_catalog(inside.parent)[1]
        return tuple(fault for fault in faults if Path(fault.file).resolve() == path.resolve())
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(
            f"{path} is not UTF-8 at byte {error.start}.", code="not_utf8", hint="Save it as UTF-8."
        ) from None
    except OSError as error:
        raise Invalid(
            f"{path} cannot be read: {error.strerror}.",
            code="file_unreadable",
            hint="Give a definition (a JSON file), or a folder with workflows/, prompts/ and schemas/.",
        ) from None
    raw, fault = parse_json(text)
    if fault is not None:
        return (FileFault(str(path), fault),)
    _, found = inspect_catalog(folder)[0].check(raw)
    return tuple(FileFault(str(path), one) for one in found)

"""Everything a workflow is made of: definitions, prompts and schemas, the package's own and the user's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import combine.seed
from combine.errors import DefinitionInvalid, NotFound
from combine.workflows.catalog_folder import CatalogFolder, FileFault, SchemaAsset, TextAsset, read_folder
from combine.workflows.definitions import Fault, WorkflowDefinition, definition_from_json, definition_to_json
from combine.workflows.provider_schema import reply_schema
from combine.workflows.schema_validity import schema_faults
from combine.workflows.validation import RESERVED_TYPE, check_definition

__all__ = [
    "Catalog",
    "FileFault",
    "SchemaAsset",
    "TextAsset",
    "definition_from_json",
    "definition_to_json",
    "inspect_catalog",
    "load_catalog",
    "without_workflow",
]

BUILT_IN = "built in"
SEED_DIR = Path(combine.seed.__file__).parent

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Content:
    workflows: Mapping[str, tuple[WorkflowDefinition, str]]
    """Definition and source by id."""
    roles: Mapping[str, TextAsset]
    tasks: Mapping[str, TextAsset]
    models: Mapping[str, TextAsset]
    schemas: Mapping[str, SchemaAsset]
    house_rules: TextAsset | None


class Catalog:
    """The known workflows with their prompts and schemas. Does not change after it is loaded."""

    def __init__(self, content: _Content) -> None:
        self._content = content
        self._envelopes: dict[tuple[str, bool], dict[str, Any]] = {}
        self._sizes: dict[tuple[str, bool], int] = {}

    def workflow_ids(self) -> tuple[str, ...]:
        """Ids of all workflows, sorted."""
        return tuple(sorted(self._content.workflows))

    def workflow(self, workflow_id: str) -> WorkflowDefinition:
        """The definition; NotFound names the known ones."""
        return _known("workflow", workflow_id, self._content.workflows)[0]

    def source(self, workflow_id: str) -> str:
        """``built in`` or the path of the file."""
        return _known("workflow", workflow_id, self._content.workflows)[1]

    def schema(self, document_type: str) -> SchemaAsset:
        """The schema of a document type; NotFound names the known ones."""
        return _known("document type", document_type, self._content.schemas)

    def reply_schema(self, document_type: str, *, ask: bool) -> dict[str, Any]:
        """``provider_schema.reply_schema`` of a document type, made once. NotFound as for ``schema``."""
        key = (document_type, ask)
        if key not in self._envelopes:
            self._envelopes[key] = reply_schema(self.schema(document_type).schema, ask=ask)
        return self._envelopes[key]

    def reply_schema_size(self, document_type: str, *, ask: bool) -> int:
        """Length of that envelope as JSON in ASCII, in characters and bytes. NotFound as for ``schema``."""
        key = (document_type, ask)
        if key not in self._sizes:
            self._sizes[key] = len(json.dumps(self.reply_schema(document_type, ask=ask)))
        return self._sizes[key]

    def document_types(self) -> tuple[str, ...]:
        """All document types that have a schema, sorted."""
        return tuple(sorted(self._content.schemas))

    def roles(self) -> tuple[str, ...]:
        """All roles that have a prompt, sorted."""
        return tuple(sorted(self._content.roles))

    def role_prompt(self, role: str) -> TextAsset:
        """The prompt of a role; NotFound names the known ones."""
        return _known("role prompt", role, self._content.roles)

    def task_prompt(self, workflow_id: str, step_id: str) -> TextAsset:
        """The prompt of one step of a workflow; NotFound names the known ones."""
        return _known("task prompt", f"{workflow_id}-{step_id}", self._content.tasks)

    def house_rules(self) -> TextAsset:
        """The rules that open every system prompt; NotFound if the file is missing."""
        if self._content.house_rules is None:
            raise NotFound("The file house-rules.txt is missing; reinstall combine.", code="prompt_not_found")
        return self._content.house_rules

    def model_suffix(self, model: str) -> TextAsset | None:
        """What to add to the prompt for this bare model id: the file with the longest name that the id begins with."""
        fitting = [name for name in self._content.models if model.startswith(name)]
        return self._content.models[max(fitting, key=len)] if fitting else None

    def check(self, raw: object) -> tuple[WorkflowDefinition | None, list[Fault]]:
        """Check a definition against the prompts and schemas of this catalog."""
        return _check(raw, self._content.roles, self._content.schemas, self._content.tasks)


def load_catalog(user_dir: Path | None) -> Catalog:
    """The package's workflows and those of the user's folder, which may add but not replace.

    Raises DefinitionInvalid with all faults of all files in ``details["faults"]``, each with file, code, path and
    message.
    """
    catalog, faults = inspect_catalog(user_dir)
    if faults:
        first = faults[0]
        more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
        raise DefinitionInvalid(
            f"{first.file}: {first.fault.message}{more}",
            hint="Run `combine workflows validate` to see all errors.",
            details={"faults": [fault.as_dict() for fault in faults]},
        )
    return catalog


def inspect_catalog(user_dir: Path | None, *, seed_dir: Path = SEED_DIR) -> tuple[Catalog, tuple[FileFault, ...]]:
    """Everything valid, and every error in the rest."""
    seed = read_folder(seed_dir)
    # Tests verify the shape of what ships with the package; checking it here would slow down every command.
    workflows = {d.workflow_id: (d, BUILT_IN) for d in (definition_from_json(raw) for _, raw in seed.workflows)}
    content = _Content(workflows, seed.roles, seed.tasks, seed.models, seed.schemas, seed.house_rules)
    if user_dir is None:
        return Catalog(_sealed(content)), tuple(seed.faults)
    user = read_folder(user_dir)
    faults = [*seed.faults, *user.faults, *_schema_faults(user, user_dir), *_clashes(seed, user, user_dir)]
    faults += _not_read(user, user_dir)
    content = _Content(
        workflows,
        user.roles | seed.roles,
        user.tasks | seed.tasks,
        seed.models,
        user.schemas | seed.schemas,
        seed.house_rules,
    )
    faults += _add_workflows(workflows, user, content)
    return Catalog(_sealed(content)), tuple(faults)


def without_workflow(catalog: Catalog, user_dir: Path) -> tuple[FileFault, ...]:
    """The error of a directory that should be checked but has no workflows."""
    if any(catalog.source(one) != BUILT_IN for one in catalog.workflow_ids()):
        return ()
    place = user_dir / "workflows"
    seen = "contains no *.json files" if place.is_dir() else "does not exist"
    message = f"No workflows found: {place} {seen}; specify a directory with workflows/, prompts/ and schemas/."
    return (FileFault(str(user_dir), Fault("no_workflow", "$", message)),)


def _not_read(user: CatalogFolder, user_dir: Path) -> list[FileFault]:
    """Files that would be silently ignored."""
    files = [user_dir / "prompts" / "models" / f"{name}.txt" for name in sorted(user.models)]
    if user.house_rules is not None:
        files.insert(0, user_dir / "prompts" / "house-rules.txt")
    message = "House rules and model-specific prompts cannot be customised; move this to a role or task prompt."
    return [FileFault(str(path), Fault("not_read", "$", message)) for path in files]


def _add_workflows(
    workflows: dict[str, tuple[WorkflowDefinition, str]], user: CatalogFolder, content: _Content
) -> list[FileFault]:
    faults: list[FileFault] = []
    for path, raw in user.workflows:
        definition, found = _check(raw, content.roles, content.schemas, content.tasks)
        faults += [FileFault(str(path), fault) for fault in found]
        if definition is None:
            continue
        taken = workflows.get(definition.workflow_id)
        if taken is not None:
            message = f"The workflow ID {definition.workflow_id!r} is already used ({taken[1]}); choose a different ID."
            faults.append(FileFault(str(path), Fault("name_clash", "$.workflow_id", message)))
            continue
        shared = _shared_prompt(definition, workflows)
        if shared is not None:
            faults.append(FileFault(str(path), shared))
            continue
        workflows[definition.workflow_id] = (definition, str(path))
    return faults


def _shared_prompt(
    definition: WorkflowDefinition, workflows: Mapping[str, tuple[WorkflowDefinition, str]]
) -> Fault | None:
    """Workflow ``a-b`` with step ``c`` and workflow ``a`` with step ``b-c`` would use the same file."""
    taken = {f"{d.workflow_id}-{s.step_id}": d.workflow_id for d, _ in workflows.values() for s in d.steps}
    for n, step in enumerate(definition.steps):
        file = f"{definition.workflow_id}-{step.step_id}"
        if file in taken:
            message = (
                f"The task prompt {file}.txt is also used by the workflow {taken[file]!r}; "
                "rename this step or workflow."
            )
            return Fault("name_clash", f"$.steps[{n}].step_id", message)
    return None


def _check(
    raw: object, roles: Mapping[str, object], schemas: Mapping[str, object], tasks: Mapping[str, object]
) -> tuple[WorkflowDefinition | None, list[Fault]]:
    # A file's name does not say where the workflow's id ends and the step's begins.
    pairs = {(stem[:n], stem[n + 1 :]) for stem in tasks for n, letter in enumerate(stem) if letter == "-"}
    return check_definition(raw, roles=roles.keys(), schemas=schemas.keys(), task_prompts=pairs)


def _schema_faults(user: CatalogFolder, root: Path) -> Iterable[FileFault]:
    for asset in user.schemas.values():
        file = _schema_file(root, asset.type)
        for fault in schema_faults(asset.schema):
            yield FileFault(file, fault)


def _clashes(seed: CatalogFolder, user: CatalogFolder, root: Path) -> Iterable[FileFault]:
    def clash(file: str, what: str) -> FileFault:
        message = f"{what} is built in and cannot be replaced; rename this file."
        return FileFault(file, Fault("name_clash", "$", message))

    for name in sorted(user.roles.keys() & seed.roles.keys()):
        yield clash(str(root / "prompts" / "roles" / f"{name}.txt"), f"The role {name!r}")
    for name in sorted(user.tasks.keys() & seed.tasks.keys()):
        yield clash(str(root / "prompts" / "tasks" / f"{name}.txt"), f"The task prompt {name!r}")
    for name in sorted(user.schemas.keys() & (seed.schemas.keys() | {RESERVED_TYPE})):
        yield clash(_schema_file(root, name), f"The document type {name!r}")


def _schema_file(root: Path, document_type: str) -> str:
    return str(next(iter(sorted(root.glob(f"schemas/*/{document_type}.json"))), root))


def _sealed(content: _Content) -> _Content:
    return _Content(
        MappingProxyType(dict(content.workflows)),
        MappingProxyType(dict(content.roles)),
        MappingProxyType(dict(content.tasks)),
        MappingProxyType(dict(content.models)),
        MappingProxyType(dict(content.schemas)),
        content.house_rules,
    )


def _known(what: str, name: str, things: Mapping[str, _T]) -> _T:
    if name in things:
        return things[name]
    names = ", ".join(sorted(things)) or "none"
    code = what.replace(" ", "_") + "_not_found"
    raise NotFound(f"There is no {what} {name!r}.", code=code, hint=f"Known: {names}.")

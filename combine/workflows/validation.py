"""Checks a workflow definition and reports all its faults at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from difflib import get_close_matches

from combine.workflows.definition_shape import shape_faults
from combine.workflows.definitions import Fault, WorkflowDefinition, definition_from_json

RESERVED_TYPE = "brief"
"""Every step gets the brief, so no step lists it as an input or output."""


def check_definition(
    raw: object,
    *,
    roles: AbstractSet[str],
    schemas: AbstractSet[str],
    task_prompts: AbstractSet[tuple[str, str]],
) -> tuple[WorkflowDefinition | None, list[Fault]]:
    """The definition if it is valid, and all its errors, in the order of the document.

    ``roles``, ``schemas`` and ``task_prompts`` (workflow id, step id) are the names that exist. If a value has
    errors of shape, the readable parts are still checked for other errors.
    """
    faults = shape_faults(raw)
    steps = _readable_steps(raw)
    workflow_id = raw.get("workflow_id") if isinstance(raw, Mapping) else None
    faults += _duplicate_steps(steps)
    faults += _unknown_roles(steps, roles)
    faults += _reserved_types(steps)
    faults += _doubled_outputs(steps)
    faults += _missing_producers(steps)
    faults += _circles(steps)
    faults += _final_steps(steps)
    if isinstance(workflow_id, str):
        faults += _missing_prompts(workflow_id, steps, task_prompts)
    faults += _missing_schemas(steps, schemas)
    return (None, faults) if faults else (definition_from_json(raw), [])


@dataclass(frozen=True, slots=True)
class _Step:
    """What can be read of a step that may have faults of shape."""

    path: str
    step_id: str | None
    role: str | None
    inputs: tuple[tuple[str, str], ...]
    """(path, type) of each."""
    outputs: tuple[tuple[str, str], ...]
    is_final: bool

    @property
    def shown(self) -> str:
        return self.step_id or f"at {self.path}"


def _readable_steps(raw: object) -> list[_Step]:
    steps = raw.get("steps") if isinstance(raw, Mapping) else None
    if not isinstance(steps, list):
        return []
    return [_readable_step(step, f"$.steps[{n}]") for n, step in enumerate(steps) if isinstance(step, Mapping)]


def _readable_step(step: Mapping[str, object], path: str) -> _Step:
    def text(key: str) -> str | None:
        value = step.get(key)
        return value if isinstance(value, str) else None

    def types(key: str) -> tuple[tuple[str, str], ...]:
        value = step.get(key)
        listed = value if isinstance(value, list) else []
        return tuple((f"{path}.{key}[{n}]", item) for n, item in enumerate(listed) if isinstance(item, str))

    return _Step(path, text("step_id"), text("role"), types("inputs"), types("outputs"), step.get("is_final") is True)


def _duplicate_steps(steps: list[_Step]) -> Iterable[Fault]:
    first: dict[str, _Step] = {}
    for step in steps:
        if step.step_id is None:
            continue
        if step.step_id in first:
            where = first[step.step_id].path
            message = f"The step ID {step.step_id!r} is already used by {where}; step IDs must be unique."
            yield Fault("duplicate_step", f"{step.path}.step_id", message)
        first.setdefault(step.step_id, step)


def _unknown_roles(steps: list[_Step], roles: AbstractSet[str]) -> Iterable[Fault]:
    for step in steps:
        if step.role is not None and step.role not in roles:
            message = (
                f"Unknown role {step.role!r}{_did_you_mean(step.role, roles)}; "
                f"use a known role or add prompts/roles/{step.role}.txt."
            )
            yield Fault("unknown_role", f"{step.path}.role", message)


def _reserved_types(steps: list[_Step]) -> Iterable[Fault]:
    for step in steps:
        for path, name in step.inputs + step.outputs:
            if name == RESERVED_TYPE:
                message = f"{RESERVED_TYPE!r} is given to every step and cannot be an output; remove it here."
                yield Fault("reserved_type", path, message)


def _doubled_outputs(steps: list[_Step]) -> Iterable[Fault]:
    first: dict[str, _Step] = {}
    for step in steps:
        for path, name in step.outputs:
            if name in first:
                message = (
                    f"{name!r} is already written by the step {first[name].shown}; "
                    "let only one step write it, or use a different type here."
                )
                yield Fault("output_produced_twice", path, message)
            first.setdefault(name, step)


def _missing_producers(steps: list[_Step]) -> Iterable[Fault]:
    produced = {name for step in steps for _, name in step.outputs}
    for step in steps:
        own = {name for _, name in step.outputs}
        for path, name in step.inputs:
            if name in own:
                message = f"The step {step.shown} reads its own output {name!r}; remove it from inputs."
                yield Fault("self_input", path, message)
            elif name not in produced and name != RESERVED_TYPE:
                message = (
                    f"No step writes {name!r}{_did_you_mean(name, produced)}; "
                    "add a step with this output, or remove it from inputs."
                )
                yield Fault("input_without_producer", path, message)


def _circles(steps: list[_Step]) -> Iterable[Fault]:
    writers: dict[str, int] = {}
    for n, step in enumerate(steps):
        for _, name in step.outputs:
            writers.setdefault(name, n)
    needs = {n: [writers[name] for _, name in step.inputs if writers.get(name, n) != n] for n, step in enumerate(steps)}
    for circle in _find_circles(needs):
        names = [steps[n].shown for n in circle]
        shown = " -> ".join([*names, names[0]])
        message = (
            f"These steps depend on each other in a cycle, each on the output of the next: {shown}; "
            "remove one of these inputs."
        )
        yield Fault("cycle", f"{steps[circle[0]].path}.inputs", message)


def _find_circles(needs: Mapping[int, list[int]]) -> Iterable[list[int]]:
    """One circle out of each knot of steps that wait for each other, beginning at its first step."""
    blocked = set(needs)
    while free := {n for n in blocked if not blocked.intersection(needs[n])}:
        blocked -= free
    while blocked:
        walk = [min(blocked)]
        while (following := next(n for n in needs[walk[-1]] if n in blocked)) not in walk:
            walk.append(following)
        circle = walk[walk.index(following) :]
        start = circle.index(min(circle))
        yield circle[start:] + circle[:start]
        # Steps that only depend on this cycle are not a cycle; any that are still blocked form another one.
        blocked -= set(circle)
        while free := {n for n in blocked if not blocked.intersection(needs[n])}:
            blocked -= free


def _final_steps(steps: list[_Step]) -> Iterable[Fault]:
    final = [step for step in steps if step.is_final]
    if steps and not final:
        message = "No step is final; set is_final to true on the step that reviews all documents."
        yield Fault("no_final_step", "$.steps", message)
    for step in final[1:]:
        message = f"The step {final[0].shown} is already final; only one step can be."
        yield Fault("several_final_steps", f"{step.path}.is_final", message)
    written = {name: step for step in final[:1] for _, name in step.outputs}
    for reader in steps:
        for path, name in reader.inputs:
            if name in written and reader is not written[name]:
                message = (
                    f"The step {reader.shown} reads {name!r} of the final step {written[name].shown}; "
                    "no step can come after the final one; remove this input."
                )
                yield Fault("final_step_not_last", path, message)


def _missing_prompts(
    workflow_id: str, steps: list[_Step], task_prompts: AbstractSet[tuple[str, str]]
) -> Iterable[Fault]:
    for step in steps:
        if step.step_id is not None and (workflow_id, step.step_id) not in task_prompts:
            file = f"prompts/tasks/{workflow_id}-{step.step_id}.txt"
            message = f"The step {step.shown} has no task prompt; add {file}."
            yield Fault("missing_prompt", f"{step.path}.step_id", message)


def _missing_schemas(steps: list[_Step], schemas: AbstractSet[str]) -> Iterable[Fault]:
    for step in steps:
        for path, name in step.outputs:
            if name not in schemas and name != RESERVED_TYPE:
                message = f"No schema for {name!r}{_did_you_mean(name, schemas)}; add schemas/<folder>/{name}.json."
                yield Fault("missing_schema", path, message)


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""

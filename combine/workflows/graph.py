"""The order of a workflow's steps: which are ready, which depend on which."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from combine.errors import DefinitionInvalid
from combine.workflows.definitions import StepDefinition, WorkflowDefinition


def layers(d: WorkflowDefinition) -> tuple[tuple[StepDefinition, ...], ...]:
    """The steps by depth: every step is one layer below the lowest step it depends on.

    Raises DefinitionInvalid (code ``cycle``) if the steps wait for each other.
    """
    needs = _producers_of_each_step(d)
    placed: set[str] = set()
    found: list[tuple[StepDefinition, ...]] = []
    rest = list(d.steps)
    while rest:
        layer = tuple(step for step in rest if needs[step.step_id] <= placed)
        if not layer:
            raise _circle(rest)
        found.append(layer)
        placed.update(step.step_id for step in layer)
        rest = [step for step in rest if step.step_id not in placed]
    return tuple(found)


def topological_order(d: WorkflowDefinition) -> tuple[StepDefinition, ...]:
    """The steps so that each comes after all its producers; the definition's order decides among equals.

    Raises DefinitionInvalid (code ``cycle``) if the steps wait for each other.
    """
    order: list[StepDefinition] = []
    done: set[str] = set()
    while len(order) < len(d.steps):
        ready = ready_steps(d, done)
        if not ready:
            raise _circle([step for step in d.steps if step.step_id not in done])
        order.append(ready[0])
        done.add(ready[0].step_id)
    return tuple(order)


def ready_steps(d: WorkflowDefinition, done: AbstractSet[str]) -> tuple[StepDefinition, ...]:
    """The steps that are not done and whose producers all are, in the definition's order."""
    needs = _producers_of_each_step(d)
    return tuple(step for step in d.steps if step.step_id not in done and needs[step.step_id] <= done)


def dependents(d: WorkflowDefinition, step_ids: AbstractSet[str]) -> frozenset[str]:
    """Ids of all steps that read, directly or through others, what these steps write; without these steps."""
    needs = _producers_of_each_step(d)
    reached = set(step_ids)
    grown = True
    while grown:
        fresh = {step for step, producers in needs.items() if step not in reached and producers & reached}
        reached |= fresh
        grown = bool(fresh)
    return frozenset(reached - step_ids)


def _producers_of_each_step(d: WorkflowDefinition) -> dict[str, frozenset[str]]:
    writers = {step.output: step.step_id for step in d.steps}
    return {step.step_id: frozenset(writers[i] for i in step.inputs if i in writers) for step in d.steps}


def _circle(steps: list[StepDefinition]) -> DefinitionInvalid:
    names = ", ".join(step.step_id for step in steps)
    return DefinitionInvalid(f"The steps {names} depend on each other in a cycle.", code="cycle")

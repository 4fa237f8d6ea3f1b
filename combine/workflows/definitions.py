"""Workflow definitions as plain objects. ``validation.py`` makes them from JSON and reports the faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

DEFAULT_MAX_REMEDIATIONS = 2
DEFAULT_MAX_REVISIONS = 1


@dataclass(frozen=True, slots=True)
class StepDefinition:
    """One node of a workflow."""

    step_id: str
    role: str
    """Name of the role prompt, e.g. ``PM``."""
    inputs: tuple[str, ...]
    """Document types this step reads; the brief is always an implicit input."""
    output: str
    """The document type this step writes."""
    is_final: bool = False
    model: str | None = None
    """``PROVIDER:MODEL`` for this step; None takes the execution's model."""
    allow_clarification: bool = True
    """Whether the step may ask the person before drafting (by default false for a final step)."""
    requires_acceptance: bool = False
    max_remediations: int = DEFAULT_MAX_REMEDIATIONS
    max_output_tokens: int | None = None
    fallback_model: str | None = None
    """``PROVIDER:MODEL`` to use if the step's model is unavailable."""


@dataclass(frozen=True, slots=True)
class WorkflowDefinition:
    """A DAG of steps."""

    workflow_id: str
    name: str
    version: str
    steps: tuple[StepDefinition, ...]
    description: str = ""
    max_revisions: int = DEFAULT_MAX_REVISIONS

    def step(self, step_id: str) -> StepDefinition:
        """The step with that id; KeyError if there is none."""
        for step in self.steps:
            if step.step_id == step_id:
                return step
        raise KeyError(step_id)

    def producer(self, document_type: str) -> StepDefinition | None:
        """The step that writes this type, or None."""
        return next((s for s in self.steps if s.output == document_type), None)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a workflow definition."""

    code: str
    """Stable: schema, duplicate_step, unknown_role, input_without_producer, output_produced_twice, cycle,
    no_final_step, missing_prompt, missing_schema, ..."""
    path: str
    """JSON path of the place, e.g. ``$.steps[1].inputs[0]``."""
    message: str
    """A sentence that says what is wrong and how to fix it."""


def definition_from_json(raw: object) -> WorkflowDefinition:
    """The definition that an already validated JSON value describes; optional keys take their defaults.

    Values that were not validated may raise KeyError or TypeError.
    """
    given = cast("dict[str, Any]", raw)
    return WorkflowDefinition(
        workflow_id=given["workflow_id"],
        name=given["name"],
        version=given["version"],
        steps=tuple(_step_from_json(step) for step in given["steps"]),
        description=given.get("description", ""),
        max_revisions=int(given.get("max_revisions", DEFAULT_MAX_REVISIONS)),
    )


def definition_to_json(d: WorkflowDefinition) -> dict[str, Any]:
    """The JSON form with every default written out, so that later defaults cannot change a stored definition."""
    return {
        "workflow_id": d.workflow_id,
        "name": d.name,
        "version": d.version,
        "description": d.description,
        "max_revisions": d.max_revisions,
        "steps": [_step_to_json(step) for step in d.steps],
    }


def _step_from_json(given: dict[str, Any]) -> StepDefinition:
    is_final = given.get("is_final", False)
    tokens = given.get("max_output_tokens")
    return StepDefinition(
        step_id=given["step_id"],
        role=given["role"],
        inputs=tuple(given["inputs"]),
        output=given["outputs"][0],
        is_final=is_final,
        model=given.get("model"),
        allow_clarification=given.get("allow_clarification", not is_final),
        requires_acceptance=given.get("requires_acceptance", False),
        # JSON Schema counts 2.0 as an integer; a definition holds real ints.
        max_remediations=int(given.get("max_remediations", DEFAULT_MAX_REMEDIATIONS)),
        max_output_tokens=None if tokens is None else int(tokens),
        fallback_model=given.get("fallback_model"),
    )


def _step_to_json(step: StepDefinition) -> dict[str, Any]:
    written: dict[str, Any] = {
        "step_id": step.step_id,
        "role": step.role,
        "inputs": list(step.inputs),
        "outputs": [step.output],
        "is_final": step.is_final,
        "allow_clarification": step.allow_clarification,
        "requires_acceptance": step.requires_acceptance,
        "max_remediations": step.max_remediations,
    }
    if step.model is not None:
        written["model"] = step.model
    if step.fallback_model is not None:
        written["fallback_model"] = step.fallback_model
    if step.max_output_tokens is not None:
        written["max_output_tokens"] = step.max_output_tokens
    return written

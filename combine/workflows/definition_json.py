"""Workflow definitions to and from their stored JSON form."""

from __future__ import annotations

from typing import Any, cast

from combine.workflows.definitions import (
    DEFAULT_MAX_REMEDIATIONS,
    DEFAULT_MAX_REVISIONS,
    StepDefinition,
    WorkflowDefinition,
)


def definition_from_json(raw: object) -> WorkflowDefinition:
    """The definition that an already validated JSON value describes; optional keys take their defaults.

    Anything not validated before may raise KeyError or TypeError.
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

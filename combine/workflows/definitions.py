"""Workflow definitions as plain objects. ``validation.py`` makes them from JSON and reports the faults."""

from __future__ import annotations

from dataclasses import dataclass

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
    """Whether the step may ask the person before drafting (false for a final step unless said)."""
    requires_acceptance: bool = False
    max_remediations: int = DEFAULT_MAX_REMEDIATIONS
    max_output_tokens: int | None = None
    fallback_model: str | None = None
    """``PROVIDER:MODEL`` to ask where the step's model does not answer."""


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
        """The step of that id; KeyError if there is none."""
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
    """A sentence that says what is wrong and how to mend it."""

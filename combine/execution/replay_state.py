"""What the tables contained at one moment of a recorded execution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from combine.documents.statuses import ExecutionStatus, StepStatus
from combine.records import Document, ExecutionSnapshot, Step
from combine.workflows.definitions import StepDefinition
from combine.workflows.graph import topological_order


def as_of(
    recorded: ExecutionSnapshot, step: StepDefinition, revision: int, attempt: int, at: datetime, *, accepted: bool
) -> ExecutionSnapshot:
    """The state in which ``step`` began after ``attempt`` attempts of ``revision``."""
    made = _made(recorded, at)
    workflow = recorded.execution.workflow
    now = Step(
        step_id=step.step_id,
        status=StepStatus.RUNNING,
        revision=revision,
        attempt=attempt,
        question_rounds=_rounds(recorded, step.step_id, at),
        document_id=made[step.step_id].id if step.step_id in made else None,
        accepted=accepted,
        guidance=_guidance(recorded, step.step_id, at) if revision else None,
    )
    others = (one for one in topological_order(workflow) if one.step_id != step.step_id)
    return replace(
        recorded,
        execution=replace(recorded.execution, status=ExecutionStatus.RUNNING),
        steps=(now, *(_done(one, made.get(one.step_id)) for one in others)),
        documents=tuple(one for one in _in_order(recorded) if _is_there(recorded, one, at)),
        questions=tuple(one for one in recorded.questions if one.answered_at is not None and one.answered_at < at),
        numbers=tuple(one for one in recorded.numbers if one.at < at),
    )


def _is_there(recorded: ExecutionSnapshot, document: Document, at: datetime) -> bool:
    return document.execution_id != recorded.execution.id or document.created_at < at


def _in_order(recorded: ExecutionSnapshot) -> list[Document]:
    """What was taken over came before anything that the execution has made itself."""
    own = recorded.execution.id
    return sorted(recorded.documents, key=lambda one: (one.execution_id == own, one.created_at))


def _made(recorded: ExecutionSnapshot, at: datetime) -> Mapping[str, Document]:
    """Step -> the version it had made last."""
    there = (one for one in _in_order(recorded) if _is_there(recorded, one, at))
    return {one.step_id: one for one in there if one.step_id is not None}


def _done(step: StepDefinition, document: Document | None) -> Step:
    revision = 0 if document is None else document.revision or 0
    if step.is_final and document is not None:
        revision += 1  # nothing else runs after a review unless the review has been sent back, too
    return Step(
        step_id=step.step_id,
        status=StepStatus.DONE,
        revision=revision,
        document_id=None if document is None else document.id,
    )


def _rounds(recorded: ExecutionSnapshot, step_id: str, at: datetime) -> int:
    return sum(one.kind == "questions_asked" and one.step_id == step_id and one.at < at for one in recorded.events)


def _guidance(recorded: ExecutionSnapshot, step_id: str, at: datetime) -> str | None:
    """A person's words, if a person was the last to send this step back."""
    words: str | None = None
    for event in recorded.events:
        if event.at >= at:
            break
        if event.kind == "sent_back" and event.step_id == step_id:
            words = event.data.get("reason")
        elif event.kind == "decided" and event.data.get("action") == "try_again":
            words = event.data.get("guidance")
        elif event.kind == "revision_started" and step_id in event.data.get("steps", ()):
            words = None
    return words

"""Forks: a new execution that keeps the results before one step and runs that step and its dependents again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from combine.documents.questions import Answer
from combine.documents.statuses import UNDER_WAY, DecidedBy, StepStatus
from combine.errors import Conflict, NotFound
from combine.execution.clarification import DECIDE_FOR_ME
from combine.records import Execution, Step
from combine.storage.core.database import WriteSession
from combine.storage.events import Events
from combine.storage.executions import Executions
from combine.storage.forks import Forks
from combine.storage.questions import Questions
from combine.storage.steps import Steps
from combine.workflows.definitions import WorkflowDefinition
from combine.workflows.graph import dependents, topological_order


def check_fork(source: Execution, from_step: str) -> None:
    """Raises Conflict while the source is running, NotFound for a step that is not in its workflow."""
    if source.status in UNDER_WAY:
        raise Conflict(
            f"Execution {source.id} is {source.status}; its results are not final yet.",
            code="still_running",
            hint=f"Wait for it (combine watch {source.id}) or cancel it (combine cancel {source.id}).",
        )
    workflow = source.workflow
    names = [step.step_id for step in workflow.steps]
    if from_step not in names:
        raise NotFound(
            f"Workflow {workflow.workflow_id} of execution {source.id} has no step {from_step!r}.",
            code="step_not_found",
            hint=f"Its steps: {', '.join(names)}.",
        )


async def store_fork(session: WriteSession, source: Execution, new: Execution, from_step: str) -> None:
    """Store the new execution with the steps and answers it keeps, in the caller's transaction."""
    order = [step.step_id for step in topological_order(new.workflow)]
    taken = _taken_over(await Steps(session).list(source.id), new.workflow, from_step)
    await Executions(session).insert(new)
    await Steps(session).insert_all(new.id, order)
    await Forks(session).take_over(source.id, new.id, sorted(taken))
    data = {
        "execution_id": str(source.id),
        "from_step": from_step,
        "taken_over": {step_id: str(taken[step_id]) for step_id in order if step_id in taken},
    }
    await Events(session).append(new.id, "forked_from", data=data)


async def answers_for(session: WriteSession, source: Execution) -> dict[str, str]:
    """The answers of the source, reused where a step that runs again asks the same question."""
    asked = await Questions(session).list(source.id)
    settled = {row.text: _given(row.settled) for row in asked if row.settled is not None}
    ids = {row.id for row in asked}  # the numbers are assigned again
    return {name: text for name, text in source.given_answers.items() if name.strip().upper() not in ids} | settled


def _given(answer: Answer) -> str:
    return DECIDE_FOR_ME if answer.decided_by is DecidedBy.DEFAULT else answer.text


def _taken_over(steps: Sequence[Step], workflow: WorkflowDefinition, from_step: str) -> Mapping[str, UUID]:
    """Step -> the document the fork keeps: steps that are done and do not depend on anything that runs again."""
    anew = {from_step} | {step.step_id for step in steps if step.status != StepStatus.DONE or not step.document_id}
    anew |= dependents(workflow, anew)
    return {step.step_id: step.document_id for step in steps if step.step_id not in anew and step.document_id}

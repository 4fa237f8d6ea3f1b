"""What an execution waits for, and the effect of a person's decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from combine.documents.questions import Question, waits_for_answers
from combine.documents.statuses import StepStatus
from combine.errors import Conflict, Invalid
from combine.execution.clarification import unknown_names
from combine.execution.review_loop import plan_after_review
from combine.execution.step_journal import NO_VALID_DOCUMENT, REMEDIATIONS_USED_UP
from combine.records import Execution, Step
from combine.storage.core.database import WriteSession
from combine.storage.documents import Documents
from combine.storage.hot.transitions import Transitions
from combine.storage.questions import Questions
from combine.storage.steps import Steps

_UNSAVED_OUTPUT = frozenset({NO_VALID_DOCUMENT, REMEDIATIONS_USED_UP})
"""Why a step waits for a decision about an output that is not its document (it may have one from before)."""


def see(row: Execution) -> str:
    """The hint that names the command to run next."""
    return f"See its state: combine show {row.id}"


def must_be_open(row: Execution, questions: Sequence[Question], given: Mapping[str, str]) -> None:
    """Raises Conflict if there is no open question, Invalid if an answer does not belong to one."""
    if not questions:
        raise Conflict(
            f"Execution {row.id} has no open question; it is {row.status}.", code="no_open_question", hint=see(row)
        )
    if unknown := unknown_names(questions, given):
        raise Invalid(
            f"Not an open question: {', '.join(map(repr, unknown))}.",
            code="answer_unknown",
            hint="Open questions: " + "; ".join(f"{question.id} {question.text}" for question in questions),
        )


async def say_what_is_open(session: WriteSession, execution_id: UUID) -> list[str]:
    """Update the reasons of steps that still wait for answers with the number of open questions; returns them."""
    asked = await Questions(session).list(execution_id)
    reasons = []
    for step in await Steps(session).list(execution_id):
        if step.status == StepStatus.WAITING_FOR_ANSWERS:
            of_round = [one for one in asked if (one.step_id, one.round) == (step.step_id, step.question_rounds)]
            reasons.append(waits_for_answers(sum(one.answer is None for one in of_round), len(of_round)))
            await Steps(session).update(execution_id, step.step_id, reason=reasons[-1])
    return reasons


async def gate(session: WriteSession, row: Execution, step_id: str | None) -> Step:
    """The step that waits for acceptance. Raises Conflict if there is none, or several and none is named."""
    steps = await Steps(session).list(row.id)
    waiting = [s for s in steps if s.status == StepStatus.WAITING_FOR_ACCEPTANCE]
    meant = [s for s in waiting if step_id in {None, s.step_id}]
    if len(meant) == 1:
        return meant[0]
    if waiting:
        names = ", ".join(step.step_id for step in waiting)
        told = (
            f"Several steps are waiting for acceptance: {names}."
            if meant
            else f"Step {step_id!r} is not waiting for acceptance."
        )
        hint = "Choose one with --step." if meant else f"Waiting: {names}."
        raise Conflict(told, code="step_needed", hint=hint)
    raise Conflict(
        f"Execution {row.id} is not waiting for acceptance; it is {row.status}.",
        code="no_acceptance_wanted",
        hint=see(row),
    )


async def try_again(session: WriteSession, row: Execution, step: Step, guidance: str) -> None:
    """Send the step back with a person's reason or guidance, together with the steps its review sends back."""
    steps = {step.step_id}
    if step.document_id is not None and step.reason_code not in _UNSAVED_OUTPUT:
        document = await Documents(session).get(step.document_id)
        workflow = row.workflow
        steps |= plan_after_review(
            document.content, workflow, step.step_id, revisions_done=workflow.max_revisions
        ).steps
    await Transitions(session).send_back(row.id, sorted(steps), dict.fromkeys(steps, guidance))


async def accept_anyway(session: WriteSession, row: Execution, step: Step) -> None:
    """Accept the last output. Raises Conflict if it is not a valid document."""
    if step.reason_code == NO_VALID_DOCUMENT:
        raise Conflict(
            f"The last output of step {step.step_id} is not a valid document, so it cannot be accepted.",
            code="not_acceptable",
            hint=f"Try again with guidance: combine resume {row.id} --decision try-again --guidance TEXT",
        )
    if step.reason_code == REMEDIATIONS_USED_UP:
        await Transitions(session).accept_last_attempt(row.id, step.step_id)
    else:
        await Steps(session).update(row.id, step.step_id, status=StepStatus.DONE, accepted=True, reason=None)

"""Builds a step's context from the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from combine.documents.findings import Finding, FindingKind
from combine.documents.items import id_number, iter_items
from combine.documents.statuses import StepStatus
from combine.execution.context import DocumentSaved, StepContext
from combine.llm.protocol import StopReason
from combine.prompts.builder import UpstreamDocument
from combine.records import Call, Document, ExecutionSnapshot, FoundFinding, Step
from combine.workflows.definitions import StepDefinition, WorkflowDefinition
from combine.workflows.graph import ready_steps
from combine.workflows.models import ModelRef, parse_model

INPUTS_CHANGED = (
    "Documents that this one builds on have changed. Bring it in line with them and keep the rest as it is."
)
_RUNNABLE = frozenset({StepStatus.PENDING, StepStatus.RUNNING})


def runnable_steps(workflow: WorkflowDefinition, statuses: Mapping[str, str]) -> tuple[StepDefinition, ...]:
    """Steps whose inputs are ready and that do not wait for a decision; ``statuses`` by step id."""
    done = {step_id for step_id, status in statuses.items() if status == StepStatus.DONE}
    return tuple(step for step in ready_steps(workflow, done) if statuses[step.step_id] in _RUNNABLE)


def with_document(state: ExecutionSnapshot, saved: DocumentSaved) -> ExecutionSnapshot:
    """The state after a step has saved its document, without reading the tables again."""
    document = saved.document
    steps = tuple(
        replace(step, status=saved.step_status, document_id=document.id) if step.step_id == document.step_id else step
        for step in state.steps
    )
    return replace(state, steps=steps, documents=(*state.documents, document))


def highest_ids(state: ExecutionSnapshot, document_type: str) -> dict[str, int]:
    """Prefix -> highest number in use for this type; ``ASM`` numbers continue over all types.

    In use are the numbers assigned before the execution started, and those it has assigned itself, also in versions
    that were sent back.
    """
    highest = {"ASM": 0}

    def take(prefix: str, number: int, type_: str) -> None:
        if prefix == "ASM" or type_ == document_type:
            highest[prefix] = max(highest.get(prefix, 0), number)

    for taken in state.numbers:
        take(taken.prefix, taken.highest, taken.type)
    for question in state.questions:
        if question.assumption_id is not None:
            take("ASM", id_number(question.assumption_id), "")
    for document in state.documents:
        for item in iter_items(document.content):
            take(item.prefix, id_number(item.id), document.type)
    return highest


ASSUMPTIONS_PER_STEP = 20
"""More than any document may contain (``x-count`` of the seed's schemas)."""


def context_of(state: ExecutionSnapshot, step: StepDefinition, *, running: int = 0) -> StepContext:
    """Everything this step reads, as of now; ``running``: how many steps are already running."""
    now, execution = state.step(step.step_id), state.execution
    inputs = [_made(state, name) for name in step.inputs]
    findings = _findings_to_mend(state, step, now)
    own = state.document(now.document_id)
    redrawn = now.revision > 0 and not step.is_final  # a review starts fresh, without seeing its last verdict
    draft = _draft(state, now, own) if redrawn else None
    answers = [(question.step_id, question.settled) for question in state.questions if question.settled is not None]
    return StepContext(
        execution_id=execution.id,
        project_id=execution.project_id,
        workflow=execution.workflow,
        model=_model_of(step, state),
        brief=state.brief,
        brief_id=execution.brief_id,
        ask=execution.ask,
        given_answers=execution.given_answers,
        answers=tuple(answer for _, answer in answers),
        own_answers=tuple(answer for by, answer in answers if by == step.step_id),
        upstream=tuple(_upstream(document) for document in inputs),
        input_ids=tuple(document.id for document in inputs),
        previous=_previous(state, step.output),
        used_ids=highest_ids(state, step.output),
        revision=now.revision,
        attempts_done=now.attempt,
        question_rounds=now.question_rounds,
        document_id=now.document_id,
        own_ids=_ids(own.content) if own else frozenset(),
        draft=draft,
        findings=findings,
        guidance=now.guidance or (INPUTS_CHANGED if redrawn and not findings else None),
        droppable_ids=_droppable(now, draft),
        assumptions_from=ASSUMPTIONS_PER_STEP * running,
        accept_findings=now.accepted,
        revisions_done=execution.revision,
        stored=_stored(state, now),
        fallback=_fallback_of(step),
        tries_again=execution.waits_for,
    )


def _made(state: ExecutionSnapshot, document_type: str) -> Document:
    producer = state.execution.workflow.producer(document_type)
    assert producer is not None  # a validated definition has a producer for every input
    document = state.document(state.step(producer.step_id).document_id)
    assert document is not None  # the step is ready, so its inputs are there
    return document


def _model_of(step: StepDefinition, state: ExecutionSnapshot) -> ModelRef:
    return parse_model(step.model or str(state.execution.model))[0]


def _fallback_of(step: StepDefinition) -> ModelRef | None:
    return None if step.fallback_model is None else parse_model(step.fallback_model)[0]


def _previous(state: ExecutionSnapshot, document_type: str) -> UpstreamDocument | None:
    return next((_upstream(one) for one in state.previous if one.type == document_type), None)


def _upstream(document: Document) -> UpstreamDocument:
    return UpstreamDocument(document.type, document.version, document.content)


def _replies(state: ExecutionSnapshot, step: Step, revision: int) -> list[Call]:
    """The replies to that revision of the step, newest first."""
    replied = [
        call
        for call in state.calls
        if call.reply is not None and call.step_id == step.step_id and call.revision == revision
    ]
    return sorted(replied, key=lambda call: call.finished_at or call.started_at, reverse=True)


def _stored(state: ExecutionSnapshot, step: Step) -> dict[int, Call]:
    """By attempt; of two replies for one attempt (after a takeover) the first one counts."""
    return {call.attempt: call for call in _replies(state, step, step.revision) if call.attempt > step.attempt}


def _draft(state: ExecutionSnapshot, step: Step, own: Document | None) -> Mapping[str, Any] | str | None:
    """What a revised step starts from: its saved document, or its last reply that did not become one."""
    if own is not None:
        return own.content
    # A truncated draft is not usable.
    earlier = [call for call in _replies(state, step, step.revision - 1) if call.stop_reason != StopReason.MAX_TOKENS]
    return max(earlier, key=lambda call: call.attempt).reply if earlier else None


def _droppable(step: Step, draft: Mapping[str, Any] | str | None) -> frozenset[str]:
    """A person's guidance may ask to remove anything."""
    return _ids(draft) if isinstance(draft, Mapping) and step.guidance else frozenset()


def _ids(content: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(item.id for item in iter_items(content))


def _findings_to_mend(state: ExecutionSnapshot, step: StepDefinition, now: Step) -> tuple[Finding, ...]:
    """The review's findings on this document, and the check findings that ended its previous revision."""
    if now.revision == 0 or step.is_final:
        return ()
    finals = [final.step_id for final in state.execution.workflow.steps if final.is_final]
    reviews = {step_id: state.step(step_id).revision for step_id in finals}
    last = max((f.attempt for f in state.findings if _before(f, now)), default=0)
    return tuple(
        f
        for f in state.findings
        if (
            f.kind == FindingKind.SEMANTIC and f.document == step.output and f.revision == reviews.get(f.step_id, 0) - 1
        )
        or (now.document_id is None and _before(f, now) and f.attempt == last)
    )


def _before(finding: FoundFinding, now: Step) -> bool:
    return (
        finding.kind == FindingKind.MECHANICAL
        and finding.step_id == now.step_id
        and finding.revision == now.revision - 1
    )

"""From what the tables say to what a step reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from combine.brief.brief import Brief
from combine.documents.findings import Finding, FindingKind, Severity
from combine.documents.items import id_number, iter_items
from combine.documents.questions import Answer
from combine.documents.statuses import DecidedBy, StepStatus
from combine.execution.context import DocumentSaved, StepContext, StoredReply
from combine.llm.protocol import StopReason
from combine.prompts.builder import UpstreamDocument
from combine.storage.hot.segment_state import (
    DocumentFacts,
    FindingFacts,
    QuestionFacts,
    ReplyFacts,
    SegmentState,
    StepFacts,
)
from combine.workflows.definitions import StepDefinition, WorkflowDefinition, definition_from_json
from combine.workflows.graph import ready_steps
from combine.workflows.models import ModelRef, parse_model

INPUTS_CHANGED = (
    "Documents that this one builds on have changed. Bring it in line with them and keep the rest as it is."
)
_RUNNABLE = frozenset({StepStatus.PENDING, StepStatus.RUNNING})


def definition_of(state: SegmentState) -> WorkflowDefinition:
    """The workflow as it was when the execution began."""
    return definition_from_json(state.execution.definition)


def runnable_steps(workflow: WorkflowDefinition, statuses: Mapping[str, str]) -> tuple[StepDefinition, ...]:
    """Steps whose inputs are ready and that nobody has to decide about first; ``statuses`` by step id."""
    done = {step_id for step_id, status in statuses.items() if status == StepStatus.DONE}
    return tuple(step for step in ready_steps(workflow, done) if statuses[step.step_id] in _RUNNABLE)


def with_document(state: SegmentState, step: StepDefinition, saved: DocumentSaved) -> SegmentState:
    """The state after a step has saved its document, without reading the tables again."""
    document = DocumentFacts(saved.document_id, step.output, saved.version, saved.content)
    steps = tuple(
        replace(facts, status=saved.step_status, document_id=saved.document_id)
        if facts.step_id == step.step_id
        else facts
        for facts in state.steps
    )
    return replace(state, steps=steps, documents={**state.documents, document.id: document})


def highest_ids(state: SegmentState, document_type: str) -> dict[str, int]:
    """Prefix -> highest number that is taken for this type; ``ASM`` runs on over all types.

    What the tables said when the state was read, and the documents that this execution has made since.
    """
    highest = dict(state.used_ids.get(document_type, {}))
    highest["ASM"] = max((ids.get("ASM", 0) for ids in state.used_ids.values()), default=0)
    for document in state.documents.values():
        for item in iter_items(document.content):
            if item.prefix == "ASM" or document.type == document_type:
                highest[item.prefix] = max(highest.get(item.prefix, 0), id_number(item.id))
    return highest


ASSUMPTIONS_PER_STEP = 20
"""More than any document may hold (``x-count`` of the seed's schemas)."""


def context_of(
    state: SegmentState, workflow: WorkflowDefinition, brief: Brief, step: StepDefinition, *, beside: int = 0
) -> StepContext:
    """Everything this step reads, as of this moment; ``beside``: how many steps are drafting already."""
    facts = _facts(state, step.step_id)
    inputs = [_made(state, workflow, name) for name in step.inputs]
    findings = _findings_to_mend(state, workflow, step, facts)
    own = state.documents.get(facts.document_id) if facts.document_id else None
    revised = facts.revision > 0
    # A review judges afresh, without its last verdict before its eyes.
    draft = _draft(state, facts, own) if revised and not step.is_final else None
    model, _ = parse_model(step.model or state.execution.model)
    previous = state.previous.get(step.output)
    return StepContext(
        execution_id=state.execution.id,
        project_id=state.execution.project_id,
        workflow=workflow,
        model=model,
        brief=brief,
        brief_id=state.execution.brief_id,
        ask=state.execution.ask,
        given_answers=state.execution.given_answers,
        answers=tuple(_answer(question) for question in state.questions if question.answer is not None),
        own_answers=tuple(
            _answer(question)
            for question in state.questions
            if question.answer is not None and question.step_id == step.step_id
        ),
        upstream=tuple(_upstream(document) for document in inputs),
        input_ids=tuple(document.id for document in inputs),
        previous=_upstream(previous) if previous else None,
        used_ids=highest_ids(state, step.output),
        revision=facts.revision,
        attempts_done=facts.attempt,
        question_rounds=facts.question_rounds,
        document_id=facts.document_id,
        own_ids=_ids(own.content) if own else frozenset(),
        draft=draft,
        findings=findings,
        guidance=facts.guidance or (INPUTS_CHANGED if revised and not findings and not step.is_final else None),
        droppable_ids=_droppable(facts, draft),
        assumptions_from=ASSUMPTIONS_PER_STEP * beside,
        accept_findings=facts.accepted,
        revisions_done=state.execution.revision,
        stored=_stored(state.replies, facts),
        fallback=None if step.fallback_model is None else parse_model(step.fallback_model)[0],
        tries_again=state.execution.waits_for,
    )


def _facts(state: SegmentState, step_id: str) -> StepFacts:
    return next(step for step in state.steps if step.step_id == step_id)


def _made(state: SegmentState, workflow: WorkflowDefinition, document_type: str) -> DocumentFacts:
    producer = workflow.producer(document_type)
    assert producer is not None  # a validated definition has a producer for every input
    document_id = _facts(state, producer.step_id).document_id
    assert document_id is not None  # the step is ready, so its inputs are there
    return state.documents[document_id]


def _upstream(document: DocumentFacts) -> UpstreamDocument:
    return UpstreamDocument(document.type, document.version, document.content)


def _answer(question: QuestionFacts) -> Answer:
    return Answer(
        f"Q-{question.number}",
        question.text,
        question.answer or "",
        DecidedBy(question.decided_by or DecidedBy.PERSON),
        question.assumption_id,
    )


def _stored(replies: tuple[ReplyFacts, ...], facts: StepFacts) -> dict[int, StoredReply]:
    """By attempt; of two replies for one attempt (a takeover and its zombie) the first one stands."""
    return {
        reply.attempt: StoredReply(
            reply.call_id,
            reply.attempt,
            reply.text,
            reply.stop_reason,
            reply.stop_detail,
            reply.model,
            ModelRef(reply.provider, reply.model_asked),
        )
        for reply in replies
        if reply.step_id == facts.step_id and reply.revision == facts.revision and reply.attempt > facts.attempt
    }


def _draft(state: SegmentState, facts: StepFacts, own: DocumentFacts | None) -> Mapping[str, Any] | str | None:
    """What a revised step begins from: its saved document, or the last reply that never became one."""
    if own is not None:
        return own.content
    earlier = [
        reply
        for reply in state.replies
        if reply.step_id == facts.step_id
        and reply.revision == facts.revision - 1
        and reply.stop_reason != StopReason.MAX_TOKENS  # a draft that was cut is no draft
    ]
    return max(earlier, key=lambda reply: reply.attempt).text if earlier else None


def _droppable(facts: StepFacts, draft: Mapping[str, Any] | str | None) -> frozenset[str]:
    """A person's word may ask for anything to go."""
    return _ids(draft) if isinstance(draft, Mapping) and facts.guidance else frozenset()


def _ids(content: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(item.id for item in iter_items(content))


def _findings_to_mend(
    state: SegmentState, workflow: WorkflowDefinition, step: StepDefinition, facts: StepFacts
) -> tuple[Finding, ...]:
    """The review's findings on this document, and the mechanical ones that ended its revision before."""
    if facts.revision == 0 or step.is_final:
        return ()
    reviews = {final.step_id: _facts(state, final.step_id).revision for final in workflow.steps if final.is_final}
    last = max((f.attempt for f in state.findings if _before(f, facts)), default=0)
    return tuple(
        _finding(f)
        for f in state.findings
        if (
            f.kind == FindingKind.SEMANTIC and f.document == step.output and f.revision == reviews.get(f.step_id, 0) - 1
        )
        or (facts.document_id is None and _before(f, facts) and f.attempt == last)
    )


def _before(finding: FindingFacts, facts: StepFacts) -> bool:
    return (
        finding.kind == FindingKind.MECHANICAL
        and finding.step_id == facts.step_id
        and finding.revision == facts.revision - 1
    )


def _finding(facts: FindingFacts) -> Finding:
    return Finding(
        FindingKind(facts.kind),
        Severity(facts.severity),
        facts.code,
        facts.document,
        facts.message,
        facts.item,
        facts.path,
        facts.found,
        facts.expected,
    )

"""All that a segment needs to know of its execution: one statement, and one more if calls have been answered before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from combine.storage.core.database import ReadSession
from combine.storage.hot.numbering import USED_BY_EXECUTION, used_ids


@dataclass(frozen=True, slots=True)
class ExecutionFacts:
    """The execution itself."""

    id: UUID
    project_id: UUID
    status: str
    round: int
    definition: Mapping[str, Any]
    brief_id: UUID
    brief: Mapping[str, Any]
    model: str
    ask: bool
    given_answers: Mapping[str, str]
    revision: int
    waits_for: str | None
    """The provider that this segment tries again, for all executions that wait for it."""
    request_id: str | None
    """The HTTP request that let it go on last."""


@dataclass(frozen=True, slots=True)
class StepFacts:
    """One step as it stands."""

    step_id: str
    status: str
    revision: int
    attempt: int
    question_rounds: int
    document_id: UUID | None
    accepted: bool
    guidance: str | None
    reason: str | None
    reason_code: str | None


@dataclass(frozen=True, slots=True)
class QuestionFacts:
    """One question; ``answer`` is None while it is open."""

    number: int
    step_id: str
    text: str
    answer: str | None
    decided_by: str | None
    assumption_id: str | None


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """One document version."""

    id: UUID
    type: str
    version: int
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FindingFacts:
    """One stored finding."""

    step_id: str
    revision: int
    attempt: int
    kind: str
    severity: str
    code: str
    document: str
    item: str | None
    path: str
    message: str
    found: str | None
    expected: str | None


@dataclass(frozen=True, slots=True)
class ReplyFacts:
    """One reply that has been paid for."""

    call_id: UUID
    step_id: str
    revision: int
    attempt: int
    text: str
    stop_reason: str
    stop_detail: str | None
    model: str
    provider: str
    model_asked: str


@dataclass(frozen=True, slots=True)
class SegmentState:
    """A consistent reading of everything above."""

    execution: ExecutionFacts
    steps: tuple[StepFacts, ...]
    questions: tuple[QuestionFacts, ...]
    documents: Mapping[UUID, DocumentFacts]
    """The versions that the steps have made, by id."""
    previous: Mapping[str, DocumentFacts]
    """The versions that counted in the project when the execution began, by type."""
    findings: tuple[FindingFacts, ...]
    replies: tuple[ReplyFacts, ...]
    used_ids: Mapping[str, Mapping[str, int]]
    """Document type -> prefix -> highest number that is taken: given in the project before the execution began, or by
    itself. ``ASM`` of answers under ``""``."""


_DOCUMENT = "jsonb_build_object('id', d.id, 'type', d.type, 'version', d.version, 'content', d.content)"

_STATE = sa.text(f"""
SELECT e.id, e.project_id, e.status, e.round, e.definition, e.brief_id, b.content AS brief, e.model, e.ask,
  e.given_answers, e.revision, e.waits_for, e.request_id,
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'step_id', s.step_id, 'status', s.status, 'revision', s.revision, 'attempt', s.attempt,
      'question_rounds', s.question_rounds, 'document_id', s.document_id, 'accepted', s.accepted,
      'guidance', s.guidance, 'reason', s.reason, 'reason_code', s.reason_code) ORDER BY s.position), '[]')
   FROM steps s WHERE s.execution_id = e.id) AS steps,
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'number', q.number, 'step_id', q.step_id, 'text', q.text, 'answer', q.answer,
      'decided_by', q.decided_by, 'assumption_id', q.assumption_id) ORDER BY q.number), '[]')
   FROM questions q WHERE q.execution_id = e.id) AS questions,
  (SELECT coalesce(jsonb_agg({_DOCUMENT}), '[]')
   FROM steps s JOIN documents d ON d.id = s.document_id WHERE s.execution_id = e.id) AS documents,
  (SELECT coalesce(jsonb_agg({_DOCUMENT}), '[]')
   FROM documents d WHERE d.id = ANY(e.previous_ids)) AS previous,
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'step_id', f.step_id, 'revision', f.revision, 'attempt', f.attempt, 'kind', f.kind, 'severity', f.severity,
      'code', f.code, 'document', f.document, 'item', f.item, 'path', f.path, 'message', f.message,
      'found', f.found, 'expected', f.expected) ORDER BY f.id), '[]')
   FROM findings f WHERE f.execution_id = e.id) AS findings,
  e.used_before, ({USED_BY_EXECUTION}) AS used_since,
  EXISTS (SELECT 1 FROM llm_calls c WHERE c.execution_id = e.id AND c.state = 'replied') AS replied
FROM executions e JOIN documents b ON b.id = e.brief_id
WHERE e.id = :execution_id
""")  # noqa: S608 - only the constants above are formatted in

_REPLIES = sa.text("""
SELECT c.id, c.step_id, c.revision, c.attempt, b.body, c.stop_reason, c.stop_detail,
       coalesce(c.model_answered, c.model) AS model, c.provider, c.model AS model_asked
FROM llm_calls c JOIN blobs b ON b.sha256 = c.reply_sha256
WHERE c.execution_id = :execution_id AND c.state = 'replied'
ORDER BY c.finished_at DESC
""")


async def read_segment_state(session: ReadSession, execution_id: UUID) -> SegmentState | None:
    """The state of one execution; None if there is no such execution."""
    row = (await session.connection.execute(_STATE, {"execution_id": execution_id})).first()
    if row is None:
        return None
    replies = (await session.connection.execute(_REPLIES, {"execution_id": execution_id})).all() if row.replied else ()
    documents = [_document(value) for value in row.documents]
    return SegmentState(
        execution=ExecutionFacts(
            row.id,
            row.project_id,
            row.status,
            row.round,
            row.definition,
            row.brief_id,
            row.brief,
            row.model,
            row.ask,
            row.given_answers,
            row.revision,
            row.waits_for,
            row.request_id,
        ),
        steps=tuple(_step(value) for value in row.steps),
        questions=tuple(QuestionFacts(**value) for value in row.questions),
        documents={document.id: document for document in documents},
        previous={document.type: document for document in map(_document, row.previous)},
        findings=tuple(FindingFacts(**value) for value in row.findings),
        replies=tuple(
            ReplyFacts(
                reply.id,
                reply.step_id,
                reply.revision,
                reply.attempt,
                bytes(reply.body).decode("utf-8", "surrogatepass"),
                reply.stop_reason,
                reply.stop_detail,
                reply.model,
                reply.provider,
                reply.model_asked,
            )
            for reply in replies
        ),
        used_ids=used_ids(row.used_before or (), row.used_since),
    )


def _document(value: Mapping[str, Any]) -> DocumentFacts:
    return DocumentFacts(UUID(value["id"]), value["type"], value["version"], value["content"])


def _step(value: Mapping[str, Any]) -> StepFacts:
    document_id = value["document_id"]
    return StepFacts(**{**value, "document_id": UUID(document_id) if document_id else None})

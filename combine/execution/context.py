"""What one step knows when it runs, and what can come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from combine.brief.brief import Brief
from combine.documents.findings import Finding
from combine.documents.questions import Answer
from combine.documents.statuses import StepStatus
from combine.prompts.builder import UpstreamDocument
from combine.records import Document
from combine.workflows.definitions import WorkflowDefinition
from combine.workflows.models import ModelRef


@dataclass(frozen=True, slots=True)
class StoredReply:
    """A reply that an earlier run of this step has paid for."""

    call_id: UUID
    attempt: int
    text: str
    stop_reason: str
    stop_detail: str | None
    model: str
    """As the provider names it."""
    asked: ModelRef


@dataclass(frozen=True, slots=True)
class StepContext:
    """Everything a step reads. Frozen: what it changes goes through the journal."""

    execution_id: UUID
    project_id: UUID
    workflow: WorkflowDefinition
    model: ModelRef
    """The one that is asked; what it does not answer, ``fallback`` may be asked."""
    brief: Brief
    brief_id: UUID
    ask: bool
    """False: the person said "decide for me" for everything; questions are settled by their defaults."""
    given_answers: Mapping[str, str]
    """Answers given in advance, by question id or question text."""
    answers: tuple[Answer, ...]
    own_answers: tuple[Answer, ...]
    """The settled questions that this step itself has asked."""
    upstream: tuple[UpstreamDocument, ...]
    input_ids: tuple[UUID, ...]
    previous: UpstreamDocument | None
    """The version of this step's document that counted when the execution began; its items keep their ids."""
    used_ids: Mapping[str, int]
    """Prefix -> highest number that is taken: given in the project before the execution began, or by itself."""
    revision: int
    attempts_done: int
    """Attempts of this revision that are over: they asked questions, or were refused before a person resumed."""
    question_rounds: int
    document_id: UUID | None
    """The version this step made last."""
    own_ids: frozenset[str] = frozenset()
    """Ids in that version; they may be given again."""
    draft: Mapping[str, Any] | str | None = None
    findings: tuple[Finding, ...] = ()
    guidance: str | None = None
    droppable_ids: frozenset[str] = frozenset()
    """Items of ``draft`` that may go although no finding names them."""
    assumptions_from: int = 0
    """Added to the first free ``ASM-`` number: steps that draft side by side must not give the same ones."""
    accept_findings: bool = False
    """A person takes the next output as it is, findings and all."""
    revisions_done: int = 0
    """Automatic revisions of the whole execution so far."""
    stored: Mapping[int, StoredReply] = field(default_factory=dict)
    fallback: ModelRef | None = None
    tries_again: str | None = None
    """The provider that this execution tries again, for all that wait for it."""


@dataclass(frozen=True, slots=True)
class DocumentSaved:
    """The step is done, or waits for acceptance of what it saved."""

    document: Document
    step_status: StepStatus
    read_again: bool = False
    """The tables have changed beyond this step: it has settled questions, or the review has sent steps back."""


@dataclass(frozen=True, slots=True)
class QuestionsAsked:
    """The step waits for a person's answers."""

    count: int


@dataclass(frozen=True, slots=True)
class LimitReached:
    """The remediations are used up and findings remain."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class BudgetReached:
    """The next call could pass a cap."""


@dataclass(frozen=True, slots=True)
class SentBack:
    """The step was sent back while it ran, so that what it made counts for nothing."""


StepResult = DocumentSaved | QuestionsAsked | LimitReached | BudgetReached | SentBack

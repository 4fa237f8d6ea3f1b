"""The input of one step, and its possible results."""

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
from combine.records import Call, Document
from combine.workflows.definitions import WorkflowDefinition
from combine.workflows.models import ModelRef


@dataclass(frozen=True, slots=True)
class StepContext:
    """Everything a step reads. Frozen, because changes go through the journal."""

    execution_id: UUID
    project_id: UUID
    workflow: WorkflowDefinition
    model: ModelRef
    """The model to call; if it fails, ``fallback`` may be called."""
    brief: Brief
    brief_id: UUID
    ask: bool
    """False: the person chose "decide for me" for everything, so defaults settle all questions."""
    given_answers: Mapping[str, str]
    """Answers given in advance, by question id or question text."""
    answers: tuple[Answer, ...]
    own_answers: tuple[Answer, ...]
    """The answers to questions that this step has asked."""
    upstream: tuple[UpstreamDocument, ...]
    input_ids: tuple[UUID, ...]
    previous: UpstreamDocument | None
    """The version of this step's document that was active when the execution began; its items keep their ids."""
    used_ids: Mapping[str, int]
    """Prefix -> highest number in use: in the project before the execution began, or by the execution itself."""
    revision: int
    attempts_done: int
    """Finished attempts of this revision: they asked questions, or were refused before a person resumed."""
    question_rounds: int
    document_id: UUID | None
    """The last version that this step has saved."""
    own_ids: frozenset[str] = frozenset()
    """Ids in that version; they may be used again."""
    draft: Mapping[str, Any] | str | None = None
    findings: tuple[Finding, ...] = ()
    guidance: str | None = None
    droppable_ids: frozenset[str] = frozenset()
    """Items of ``draft`` that may be removed although no finding names them."""
    assumptions_from: int = 0
    """Added to the first free ``ASM-`` number, so that steps that run in parallel use different numbers."""
    accept_findings: bool = False
    """A person accepts the next output with its findings."""
    revisions_done: int = 0
    """Automatic revisions of the whole execution so far."""
    stored: Mapping[int, Call] = field(default_factory=dict)
    """By attempt: the calls whose replies an earlier run of this step has paid for."""
    fallback: ModelRef | None = None
    tries_again: str | None = None
    """The provider that this execution probes for all that wait for it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The state of the questions that a step asked."""

    settled: tuple[Answer, ...]
    open: int
    """How many are waiting for a person."""


@dataclass(frozen=True, slots=True)
class DocumentSaved:
    """The step is done, or waits until a person accepts the document."""

    document: Document
    step_status: StepStatus
    read_again: bool = False
    """More than this step has changed in the tables: it has settled questions, or the review has sent steps back."""


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
    """The next call could exceed a cap."""


@dataclass(frozen=True, slots=True)
class SentBack:
    """The step was sent back while it ran, so its output is discarded."""


StepResult = DocumentSaved | QuestionsAsked | LimitReached | BudgetReached | SentBack

"""What is stored, one type for each noun: execution, step, question, finding, document, call, event.

All other packages use these types instead of defining their own. They are frozen, hold parsed values
(a ``WorkflowDefinition``, a ``ModelRef``, enums), and pydantic can build them from the JSON of the database and of
recordings. A field of a record is named like its column, so a new column is named here and in ``tables.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, PlainSerializer

from combine.brief.brief import Brief, brief_from_json, brief_to_json
from combine.documents.findings import Finding
from combine.documents.questions import Answer, Question
from combine.documents.statuses import (
    CallPurpose,
    CallState,
    DecidedBy,
    DocumentStatus,
    ExecutionStatus,
    StepStatus,
)
from combine.workflows.definitions import WorkflowDefinition, definition_from_json, definition_to_json
from combine.workflows.models import ModelRef


def _workflow(value: object) -> WorkflowDefinition:
    return value if isinstance(value, WorkflowDefinition) else definition_from_json(value)


def _model(value: object) -> object:
    return ModelRef.stored(value) if isinstance(value, str) else value


def _brief(value: object) -> object:
    return brief_from_json(value) if isinstance(value, Mapping) else value


StoredWorkflow = Annotated[WorkflowDefinition, BeforeValidator(_workflow), PlainSerializer(definition_to_json)]
StoredModel = Annotated[ModelRef, BeforeValidator(_model), PlainSerializer(str, return_type=str)]
StoredBrief = Annotated[Brief, BeforeValidator(_brief), PlainSerializer(brief_to_json)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One run of a workflow in a project, for one brief version."""

    id: UUID
    project_id: UUID
    project: str
    """The project's name."""
    workflow: StoredWorkflow
    """As it was at the start."""
    brief_id: UUID
    model: StoredModel
    status: ExecutionStatus
    reason: str | None = None
    """Why it is waiting or has failed, for a person."""
    reason_code: str | None = None
    waits_for: str | None = None
    """The unavailable provider; after an outage, the one that this execution retries for all that wait for it."""
    next_try_at: datetime | None = None
    tries: int = 0
    """Consecutive failures, over all executions that wait for the same provider."""
    round: int = 1
    """Number of the current segment."""
    seq: int = 0
    """Number of the last event."""
    revision: int = 0
    """Automatic revisions so far."""
    ask: bool = True
    """False: the person said "decide for me" for everything."""
    given_answers: Mapping[str, str] = field(default_factory=dict)
    """Answers given in advance, by question id or question text."""
    forked_from: UUID | None = None
    """The execution whose steps it took over."""
    budget_usd: Decimal | None = None
    allow_unpriced: bool = False
    """Whether calls of unknown price may be sent although a cap applies."""
    reserved_usd: Decimal = Decimal(0)
    spent_usd: Decimal = Decimal(0)
    """Cost of the calls with a known price."""
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None
    request_id: str | None = None
    """The HTTP request that last continued it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One node of the workflow inside an execution, in its current state."""

    step_id: str
    position: int = 0
    status: StepStatus
    revision: int = 0
    attempt: int = 0
    """Finished attempts of this revision."""
    question_rounds: int = 0
    document_id: UUID | None = None
    """The last version it wrote or took over."""
    accepted: bool = False
    guidance: str | None = None
    """A person's words for this revision."""
    reason: str | None = None
    reason_code: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedQuestion(Question):
    """A question with its number and, once it is settled, its answer."""

    number: int
    step_id: str
    round: int
    """1 or 2, within the step."""
    answer: str | None = None
    decided_by: DecidedBy | None = None
    assumption_id: str | None = None
    answered_at: datetime | None = None

    @property
    def settled(self) -> Answer | None:
        """The binding form of the answer; None while it is open."""
        if self.answer is None:
            return None
        by = self.decided_by or DecidedBy.PERSON
        return Answer(f"Q-{self.number}", self.text, self.answer, by, self.assumption_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFinding(Finding):
    """A finding and the attempt it was found in."""

    step_id: str
    """The step whose reply was checked, or the review step."""
    revision: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One immutable document version with its provenance."""

    id: UUID
    project_id: UUID
    type: str
    version: int
    status: DocumentStatus
    origin: str
    """``person``, ``model`` or ``offline``."""
    execution_id: UUID | None = None
    step_id: str | None = None
    revision: int | None = None
    attempt: int | None = None
    call_ids: tuple[UUID, ...] = ()
    input_ids: tuple[UUID, ...] = ()
    prompt_sha256: str | None = None
    assets: Mapping[str, str] = field(default_factory=dict)
    """Prompt files and schema that made it -> SHA-256."""
    model: str | None = None
    created_at: datetime
    content_sha256: str
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Empty unless requested."""
    ordered: bool = False
    """Whether the keys of ``content`` are in the order in which they were stored; see ``storage.key_order``."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, over all its transport attempts. The four counts do not overlap."""

    input_tokens: int = 0
    """Input that was neither read from nor written to a cache."""
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
        )


@dataclass(frozen=True, slots=True)
class RecordedPrompt:
    """The three parts of a request, as they were sent."""

    system: str
    prefix: str
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to a language model: a row of the ledger."""

    id: UUID
    execution_id: UUID
    step_id: str
    revision: int
    attempt: int
    purpose: CallPurpose
    provider: str
    model: str
    """As requested."""
    model_answered: str | None = None
    state: CallState
    prompt_sha256: str
    reply_sha256: str | None = None
    stop_reason: str | None = None
    stop_detail: str | None = None
    provider_request_id: str | None = None
    transport_attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reserved_usd: Decimal | None = None
    cost_usd: Decimal | None = None
    """None: not known."""
    price_source: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    started_at: datetime
    finished_at: datetime | None = None
    request_id: str | None = None
    """The HTTP request that caused it."""
    prompt: RecordedPrompt | None = field(default=None, repr=False)
    """Only while the call is made, and in a recording."""
    input: Mapping[str, Any] | None = field(default=None, repr=False)
    """What the prompt was rendered from (``input_to_json``); as ``prompt``, but None for calls of older programs."""
    reply: str | None = field(default=None, repr=False)
    """Only if requested."""

    @property
    def model_ref(self) -> ModelRef:
        """The model as requested, with its provider."""
        return ModelRef(self.provider, self.model)

    @property
    def answered_by(self) -> str:
        """The model as the provider names it."""
        return self.model_answered or self.model

    @property
    def booked_usd(self) -> Decimal | None:
        """What counts under a cap: for a call whose outcome is unknown, its reservation."""
        return self.reserved_usd if self.state is CallState.OUTCOME_UNKNOWN else self.cost_usd


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an execution."""

    seq: int
    at: datetime
    kind: str
    step_id: str | None
    data: Mapping[str, Any]
    request_id: str | None = None
    """The HTTP request that caused it; None: the command line."""


@dataclass(frozen=True, slots=True)
class NumberTaken:
    """The highest number of one kind of id that others had used in the project by some point in time."""

    at: datetime
    type: str
    """A document type; ``""`` for assumptions that answers have become."""
    prefix: str
    highest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSnapshot:
    """One execution with everything about it, as of one moment."""

    execution: Execution
    brief: StoredBrief
    """Empty unless requested."""
    steps: tuple[Step, ...]
    """In the order of the workflow."""
    documents: tuple[Document, ...]
    """Every version that it wrote or took over, in the order in which they were stored."""
    previous: tuple[Document, ...] = ()
    """The versions that were current in the project when it started: their items keep their ids."""
    questions: tuple[AskedQuestion, ...]
    findings: tuple[FoundFinding, ...]
    """Oldest first."""
    calls: tuple[Call, ...]
    """Oldest first."""
    events: tuple[Event, ...] = ()
    """Only in a recording."""
    numbers: tuple[NumberTaken, ...] = ()
    """Numbers of ids that were in use before it started."""
    seconds_at_work: float = 0
    """How long processes have worked on it, without the time it waited for people."""

    def step(self, step_id: str) -> Step:
        """The step with that id; KeyError if there is none."""
        for step in self.steps:
            if step.step_id == step_id:
                return step
        raise KeyError(step_id)

    def document(self, document_id: UUID | None) -> Document | None:
        """The version with that id, if it is included."""
        return next((one for one in self.documents if one.id == document_id), None)

    @property
    def open_findings(self) -> tuple[FoundFinding, ...]:
        """What the last call of each step that was answered has left open."""
        last: dict[str, tuple[int, int]] = {}
        for call in self.calls:
            if call.state is CallState.REPLIED:
                last[call.step_id] = max(last.get(call.step_id, (0, 0)), (call.revision, call.attempt))
        return tuple(one for one in self.findings if last.get(one.step_id) == (one.revision, one.attempt))

"""What the services return: the bodies of the API's responses. Each lists the fields of a record that it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

from pydantic import PlainSerializer

from combine.auth.permissions import ProjectRole
from combine.documents.diff import DocumentDiff
from combine.documents.statuses import ExecutionStatus, GroupBy, StepStatus
from combine.services.amounts import usd_text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


V = TypeVar("V", bound="DataclassInstance")

Usd = Annotated[Decimal, PlainSerializer(usd_text, return_type=str, when_used="json-unless-none")]
"""An amount of USD: a Decimal in Python, text with six decimal places in JSON."""


def view(kind: type[V], record: object, **more: Any) -> V:
    """A view of a record: its fields, plus ``more`` for fields that the record does not have."""
    return kind(**{one.name: getattr(record, one.name) for one in fields(kind) if one.name not in more}, **more)


@dataclass(frozen=True, slots=True)
class TokensView:
    """Token counts; no token is counted twice."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


@dataclass(frozen=True, slots=True)
class DocumentView:
    """One document version, without its content."""

    id: UUID
    project: str
    project_id: UUID
    type: str
    version: int
    status: str
    origin: str
    model: str | None
    execution_id: UUID | None
    step_id: str | None
    content_sha256: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One question and, once answered, its answer."""

    id: str
    step_id: str
    round: int
    text: str
    why: str
    answer_type: str
    choices: tuple[str, ...]
    default: str
    required: bool
    answer: str | None
    decided_by: str | None
    assumption_id: str | None


@dataclass(frozen=True, slots=True)
class FindingView:
    """One finding in the last attempt of its step."""

    step_id: str
    kind: str
    severity: str
    code: str
    document: str
    item: str | None
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class CallView:
    """One call to a language model."""

    id: UUID
    step_id: str
    revision: int
    attempt: int
    purpose: str
    state: str
    provider: str
    model: str
    tokens: TokensView
    cost_usd: Usd | None
    reserved_usd: Usd | None
    started_at: datetime
    finished_at: datetime | None
    stop_reason: str | None
    error: str | None
    request_id: str | None
    """The HTTP request that caused it; None: the command line caused it."""


@dataclass(frozen=True, slots=True)
class StepView:
    """One step and its attempts."""

    step_id: str
    role: str
    output: str
    status: StepStatus
    revision: int
    attempts: int
    """Calls with a reply, over all revisions."""
    document_id: UUID | None
    reason: str | None
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ExecutionView:
    """One execution, as listed."""

    id: UUID
    project: str
    project_id: UUID
    workflow_id: str
    status: ExecutionStatus
    reason: str | None
    reason_code: str | None
    model: str
    budget_usd: Usd | None
    spent_usd: Usd
    """Cost of the calls with a known price."""
    cost_usd: Usd | None
    """``spent_usd`` plus the reservations of calls of unknown outcome. None if the price of any call is unknown."""
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    waits_for: str | None = None
    """The unavailable provider; this and the next two only while the execution waits for one."""
    next_try_at: datetime | None = None
    tries: int = 0
    """Consecutive failures, over all executions that wait for the same provider."""
    forked_from: UUID | None = None
    """The execution it was forked from."""


@dataclass(frozen=True, slots=True)
class ExecutionDetail:
    """One execution with its steps, documents, questions, findings, calls and cost."""

    execution: ExecutionView
    steps: tuple[StepView, ...]
    documents: tuple[DocumentView, ...]
    """Every version this execution has made or taken over, including those sent back."""
    questions: tuple[QuestionView, ...]
    findings: tuple[FindingView, ...]
    calls: tuple[CallView, ...]
    tokens: TokensView
    reserved_usd: Usd
    revision: int
    round: int
    seq: int
    duration_s: float
    """Running time; waiting for people does not count."""

    @property
    def cost_usd(self) -> Decimal | None:
        """Includes the reservations of calls whose outcome is unknown. None if the price of any call is unknown."""
        return self.execution.cost_usd

    @property
    def current_documents(self) -> tuple[DocumentView, ...]:
        """The latest version of each step's document, in step order."""
        current = {step.document_id for step in self.steps}
        return tuple(document for document in self.documents if document.id in current)

    @property
    def open_questions(self) -> tuple[QuestionView, ...]:
        """Questions that wait for an answer."""
        return tuple(question for question in self.questions if question.answer is None)


@dataclass(frozen=True, slots=True)
class ExecutorView:
    """One worker, running or no longer responding."""

    id: str
    kind: str
    """``cli``, ``worker`` or ``serve``."""
    host: str
    pid: int
    version: str
    started_at: datetime
    silent_s: float
    """Seconds since its last heartbeat."""
    alive: bool


@dataclass(frozen=True, slots=True)
class DocumentDetail:
    """One version with its content, keys in the schema's order."""

    document: DocumentView
    content: Mapping[str, Any]
    call_ids: tuple[UUID, ...]
    input_ids: tuple[UUID, ...]
    prompt_sha256: str | None
    assets: Mapping[str, str]
    """The prompt files and schema that produced it -> SHA-256."""
    revision: int | None
    attempt: int | None


@dataclass(frozen=True, slots=True)
class DocumentChanges:
    """The differences between two versions."""

    old: DocumentView
    new: DocumentView
    diff: DocumentDiff


@dataclass(frozen=True, slots=True)
class DocumentExport:
    """One version in its export formats."""

    document: DocumentView
    json_text: str
    """The content in the schema's order; validates against the schema."""
    markdown: str

    @property
    def html(self) -> str:
        """The Markdown as a self-contained HTML page."""
        from combine.documents.html import render_html  # noqa: PLC0415 - few processes render pages

        return render_html(self.markdown, self._title)

    @property
    def html_key(self) -> str:
        """Equal for equal pages; computed without rendering the page."""
        from combine.documents.html import html_key  # noqa: PLC0415 - as above

        return html_key(self.markdown, self._title)

    @property
    def _title(self) -> str:
        return f"{self.document.project}: {self.document.type} {self.document.version}"


@dataclass(frozen=True, slots=True)
class ProjectView:
    """One project."""

    id: UUID
    name: str
    role: ProjectRole
    """The current user's role in it."""
    documents: int
    """Document types with a version, not counting the brief."""
    executions: int
    budget_usd: Usd | None
    """Cap on the total cost of its executions; None: no cap."""
    spent_usd: Usd
    """Cost of the calls with a known price."""
    reserved_usd: Usd
    """Reserved for calls in flight and calls whose outcome is unknown."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CostGroupView:
    """Totals for one group of calls."""

    key: str
    calls: int
    failed: int
    outcome_unknown: int
    """Sent, but the process ended before the reply."""
    unpriced: int
    """Answered, but the price is unknown; not in ``cost_usd``."""
    tokens: TokensView
    cost_usd: Usd
    """Of the calls with a known price."""
    reserved_usd: Usd
    """Reserved for calls in flight; not in ``cost_usd``."""
    outcome_unknown_usd: Usd
    """Reserved for calls whose outcome is unknown; not in ``cost_usd``."""


@dataclass(frozen=True, slots=True)
class CostReport:
    """Costs by group, and their total."""

    by: GroupBy
    groups: tuple[CostGroupView, ...]
    total: CostGroupView


@dataclass(frozen=True, slots=True)
class Range:
    """Range of tokens, from typical to high."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class UsdRange:
    """Range of cost in USD, from typical to high."""

    low: Usd
    high: Usd


@dataclass(frozen=True, slots=True)
class EstimateView:
    """The expected use of an execution. This is not a limit; to limit the cost, set a cap."""

    workflow: str
    model: str
    uses_model: bool
    """False: every step is drafted offline."""
    input_tokens: Range
    """Including cached tokens."""
    output_tokens: Range
    usd: UsdRange | None
    """None: the price of a model is unknown."""
    earlier_executions: int
    """Number of executions behind the figures (median and maximum of each step). 0: an approximation."""
    characters_per_token: tuple[float, float] | None
    """Highest and lowest figure that the approximation assumes; None with history."""

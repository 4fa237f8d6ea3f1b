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
    """Input tokens that were neither read from nor written to the cache."""
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
    """``brief`` is the brief itself."""
    version: int
    status: str
    """``draft``, ``active``, ``stale`` or ``superseded``."""
    origin: str
    """``person``, ``model`` or ``offline``."""
    model: str | None
    """None if no model wrote it."""
    execution_id: UUID | None
    """The execution that created it; None for a brief."""
    step_id: str | None
    content_sha256: str
    """Of the canonical JSON of the content."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One question and, once answered, its answer."""

    id: str
    """``Q-1``, ``Q-2``... over the whole execution."""
    step_id: str
    round: int
    """1 or 2, within the step."""
    text: str
    why: str
    """The decision that depends on the answer."""
    answer_type: str
    """``free_text``, ``single_choice``, ``multi_choice``, ``yes_no``, ``number`` or ``date``."""
    choices: tuple[str, ...]
    default: str
    """Used for "decide for me"."""
    required: bool
    """Whether the document needs the answer."""
    answer: str | None
    """None while the question is open."""
    decided_by: str | None
    """``person`` or ``default``."""
    assumption_id: str | None
    """``ASM-001`` if the default is recorded as an assumption."""


@dataclass(frozen=True, slots=True)
class FindingView:
    """One finding in the last attempt of its step."""

    step_id: str
    kind: str
    """``mechanical`` (found by code) or ``semantic`` (found by the review)."""
    severity: str
    """``critical``, ``major``, ``minor`` or ``observation``."""
    code: str
    """Stable name of the rule, e.g. ``quote_not_found``."""
    document: str
    """The document type it is about, or ``brief``."""
    item: str | None
    """ID of the item, e.g. ``FR-002``."""
    path: str
    """JSON path inside the document."""
    message: str


@dataclass(frozen=True, slots=True)
class CallView:
    """One call to a language model."""

    id: UUID
    step_id: str
    revision: int
    attempt: int
    purpose: str
    """``draft``, ``remediation``, ``revision`` or ``review``."""
    state: str
    """``intent`` (in flight), ``replied``, ``failed`` or ``outcome_unknown``."""
    provider: str
    model: str
    """As named by the provider in its reply, otherwise as requested."""
    tokens: TokensView
    cost_usd: Usd | None
    """None if it is not known."""
    reserved_usd: Usd | None
    """The amount reserved for the call; while the outcome is unknown, it counts under the caps."""
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
    """The document type that the step writes."""
    status: StepStatus
    revision: int
    """How many times the step was sent back."""
    attempts: int
    """Calls with a reply, over all revisions."""
    document_id: UUID | None
    """The latest version that the step has saved or reused."""
    reason: str | None
    """Why it is waiting or has failed."""
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
    """Why it is waiting or has failed, for people."""
    reason_code: str | None
    """The reason as a stable code."""
    model: str
    budget_usd: Usd | None
    """Cap on the total cost; None: no cap."""
    spent_usd: Usd
    """Cost of the calls with a known price."""
    cost_usd: Usd | None
    """``spent_usd`` plus the reservations of calls of unknown outcome. None if the price of any call is unknown."""
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    waits_for: str | None = None
    """The unavailable provider. This and the next two fields are set only while the execution waits for one."""
    next_try_at: datetime | None = None
    """When a worker retries."""
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
    """The findings that the last attempt of each step has left open."""
    calls: tuple[CallView, ...]
    tokens: TokensView
    """Of all calls."""
    reserved_usd: Usd
    """Reserved for calls in flight and calls whose outcome is unknown."""
    revision: int
    """Automatic revisions so far."""
    round: int
    """Number of the current segment: the work between two waits."""
    seq: int
    """Number of the last event."""
    duration_s: float
    """Running time in seconds; waiting for people does not count."""

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
    """The calls that produced it."""
    input_ids: tuple[UUID, ...]
    """The document versions it was based on."""
    prompt_sha256: str | None
    assets: Mapping[str, str]
    """SHA-256 of each prompt file and schema that was used."""
    revision: int | None
    """Of the step that wrote it."""
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
    """The day, model, workflow, step, project or execution; ``total`` for the total."""
    calls: int
    failed: int
    outcome_unknown: int
    """Calls that were sent, but whose process ended before the reply."""
    unpriced: int
    """Calls with a reply but without a known price; not in ``cost_usd``."""
    tokens: TokensView
    cost_usd: Usd
    """Cost of the calls with a known price."""
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
    """If false, every step is drafted offline."""
    input_tokens: Range
    """Including cached tokens."""
    output_tokens: Range
    usd: UsdRange | None
    """None: the price of a model is unknown."""
    earlier_executions: int
    """Number of executions behind the figures (median and maximum of each step). 0: an approximation."""
    characters_per_token: tuple[float, float] | None
    """Highest and lowest figure that the approximation assumes; None with history."""

"""What a replay puts in the place of the tables and the provider."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NoReturn
from uuid import UUID

from combine.documents.findings import Finding
from combine.documents.questions import Question
from combine.documents.statuses import StepStatus
from combine.errors import LLMError
from combine.execution.context import Asked, DocumentSaved, StepContext
from combine.llm.protocol import LLMProvider, Progress
from combine.prompts.builder import PromptBuilder, PromptInput, RenderedPrompt
from combine.records import Call, Document, ExecutionSnapshot
from combine.workflows.catalog import Catalog
from combine.workflows.definitions import StepDefinition
from combine.workflows.models import ModelRef


class RecordEnds(Exception):
    """The step would now do something that the recording does not contain."""


class NoProvider:
    """Where a replay gets its model from: nowhere."""

    def provider(self, ref: ModelRef) -> LLMProvider:
        """Raises RecordEnds: the requested reply was never recorded."""
        raise RecordEnds(f"no stored reply of {ref}")


class NoTelemetry:
    """Nothing streams in a replay."""

    def call(self, execution_id: UUID, step_id: str) -> AbstractAsyncContextManager[Callable[[Progress], None]]:
        """Raises RecordEnds."""
        raise RecordEnds(f"no stored reply for {step_id} of {execution_id}")


class WatchedPrompts(PromptBuilder):
    """Keeps the prompts that are built."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog)
        self.built: list[RenderedPrompt] = []

    def build(self, given: PromptInput) -> RenderedPrompt:
        """The prompt of one call."""
        self.built.append(super().build(given))
        return self.built[-1]


class ReplayJournal:
    """Keeps what a step does in memory, and returns what the tables contained."""

    def __init__(self, recorded: ExecutionSnapshot) -> None:
        self._recorded = recorded
        self.asked_at: int = 0
        """The attempt that asked last."""
        self.other_questions: list[str] = []
        """Where the questions differ from the stored ones."""
        self.findings: tuple[Finding, ...] = ()
        self.document: Document | None = None

    async def open_call(self, call: Call) -> NoReturn:
        """Never reached: ``NoProvider`` comes before it."""
        raise RecordEnds(str(call.id))

    async def close_call(self, call: Call) -> NoReturn:
        """Never reached."""
        raise RecordEnds(str(call.id))

    async def note_fallback(
        self, step: StepDefinition, context: StepContext, attempt: int, fallback: ModelRef, error: LLMError
    ) -> None:
        """A replay calls no model, so it needs no fallback."""

    async def provider_works_again(self, execution_id: UUID, provider: str) -> None:
        """A replay calls no provider."""

    async def record_findings(
        self,
        step: StepDefinition,  # noqa: ARG002 - the protocol's
        context: StepContext,  # noqa: ARG002 - as above
        attempt: int,  # noqa: ARG002 - as above
        findings: Sequence[Finding],
        *,
        last: bool,  # noqa: ARG002 - as above
        savable: bool,  # noqa: ARG002 - as above
    ) -> None:
        """Keep the findings, to explain why there is no document."""
        self.findings = tuple(findings)

    async def save_questions(
        self,
        step: StepDefinition,
        context: StepContext,  # noqa: ARG002 - the protocol's
        attempt: int,
        round_: int,
        questions: Sequence[Question],
    ) -> Asked:
        """The answers that were given at once, or a pause where the execution has paused."""
        self.asked_at = attempt
        rows = [one for one in self._recorded.questions if (one.step_id, one.round) == (step.step_id, round_)]
        if [row.text for row in rows] != [question.text for question in questions]:
            self.other_questions.append(f"{step.step_id}, round {round_}")
        if not rows:
            raise RecordEnds("no stored questions")
        waited = self._waited({f"Q-{row.number}" for row in rows})
        return Asked(tuple(row.settled for row in rows if row.settled is not None), len(rows) if waited else 0)

    def _waited(self, ids: set[str]) -> bool:
        return any(
            event.kind == "questions_asked" and ids == set(event.data.get("questions", ())) and event.data.get("open")
            for event in self._recorded.events
        )

    async def save_document(self, step: StepDefinition, context: StepContext, document: Document) -> DocumentSaved:
        """Keep it."""
        _ = step, context
        self.document = document
        return DocumentSaved(document, StepStatus.DONE)

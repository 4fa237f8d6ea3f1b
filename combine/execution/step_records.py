"""Where a step executor records what it does: in the tables, or in memory during a replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from combine.documents.findings import Finding
from combine.documents.questions import Question
from combine.errors import LLMError
from combine.execution.context import Asked, DocumentSaved, SentBack, StepContext
from combine.llm.protocol import Progress
from combine.records import Call, Document
from combine.workflows.definitions import StepDefinition
from combine.workflows.models import ModelRef


class StepRecords(Protocol):
    """The records of one step. ``StepJournal`` writes them to the tables."""

    async def open_call(self, call: Call) -> bool:
        """Record a call before it is sent. False: its worst case could exceed a cap."""
        ...

    async def close_call(self, call: Call) -> None:
        """Record the result of a call."""
        ...

    async def note_fallback(
        self, step: StepDefinition, context: StepContext, attempt: int, fallback: ModelRef, error: LLMError
    ) -> None:
        """Record that the step's fallback model is called."""
        ...

    async def provider_works_again(self, execution_id: UUID, provider: str) -> None:
        """Record that the first call after an outage has succeeded."""
        ...

    async def record_findings(
        self,
        step: StepDefinition,
        context: StepContext,
        attempt: int,
        findings: Sequence[Finding],
        *,
        last: bool,
        savable: bool,
    ) -> None:
        """Record the findings of one attempt."""
        ...

    async def save_questions(
        self, step: StepDefinition, context: StepContext, attempt: int, round_: int, questions: Sequence[Question]
    ) -> Asked:
        """Record the questions of one attempt, and settle those that need no person."""
        ...

    async def save_document(
        self, step: StepDefinition, context: StepContext, document: Document
    ) -> DocumentSaved | SentBack:
        """Record a document that has passed its checks."""
        ...


class CallTelemetry(Protocol):
    """Reports calls in progress."""

    def call(self, execution_id: UUID, step_id: str) -> AbstractAsyncContextManager[Callable[[Progress], None]]:
        """Yields the function that receives the progress of one call."""
        ...

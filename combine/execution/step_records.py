"""What a step executor asks of whoever keeps what it does: the tables, or a replay's memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol
from uuid import UUID

from combine.documents.findings import Finding
from combine.documents.questions import Question
from combine.errors import LLMError
from combine.execution.context import DocumentSaved, SentBack, StepContext
from combine.execution.step_journal import Asked
from combine.llm.protocol import Progress
from combine.records import Document
from combine.storage.hot.journal import CallIntent, CallReply
from combine.workflows.definitions import StepDefinition
from combine.workflows.models import ModelRef


class StepRecords(Protocol):
    """See ``StepJournal``, which writes them to the tables."""

    async def open_call(self, intent: CallIntent) -> bool:
        """False: there is no room for its worst case."""
        ...

    async def close_call(self, reply: CallReply) -> None:
        """What was paid for."""
        ...

    async def note_fallback(
        self, step: StepDefinition, context: StepContext, attempt: int, fallback: ModelRef, error: LLMError
    ) -> None:
        """Another model is asked than the step's own."""
        ...

    async def provider_works_again(self, execution_id: UUID, provider: str) -> None:
        """The first call after an outage has succeeded."""
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
        """What is wrong with one attempt."""
        ...

    async def save_questions(
        self, step: StepDefinition, context: StepContext, attempt: int, round_: int, questions: Sequence[Question]
    ) -> Asked:
        """What came of the questions."""
        ...

    async def save_document(
        self, step: StepDefinition, context: StepContext, document: Document
    ) -> DocumentSaved | SentBack:
        """A document that has passed its checks."""
        ...


class CallTelemetry(Protocol):
    """See ``Telemetry``."""

    def call(self, execution_id: UUID, step_id: str) -> AbstractAsyncContextManager[Callable[[Progress], None]]:
        """What the provider tells while it streams."""
        ...

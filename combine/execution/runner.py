"""One segment of an execution: from its start or resume to the next pause or the end."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from decimal import Decimal

from combine.documents.statuses import ExecutionStatus
from combine.errors import CombineError, LLMError, OwnershipLost, TransientLLMError
from combine.execution.context import DocumentSaved, SentBack, StepResult
from combine.execution.kept_replies import KeptReplies
from combine.execution.llm_step_executor import LLMStepExecutor, Providers
from combine.execution.output_parser import OutputParser
from combine.execution.segment import Segment
from combine.execution.segment_journal import Ending, SegmentJournal
from combine.execution.state import context_of, runnable_steps, with_document
from combine.execution.step_journal import StepJournal
from combine.execution.telemetry import Telemetry
from combine.llm.pricing import Pricing
from combine.llm.retry import asked_wait_s
from combine.llm.slots import CallSlots, NoMoreCalls
from combine.observability.correlation import caused_by
from combine.prompts.builder import PromptBuilder
from combine.records import ExecutionSnapshot
from combine.storage.core.database import Database
from combine.storage.steps import SentBackSince
from combine.workflows.catalog import Catalog

log = logging.getLogger("combine.execution")


@dataclass(frozen=True, slots=True)
class ExecutionRunner:
    """Runs segments. Independent of the queue; a ``Segment`` holds its claim."""

    database: Database
    catalog: Catalog
    providers: Providers
    pricing: Pricing
    telemetry: Telemetry
    replies: KeptReplies
    max_output_tokens: int
    daily_budget_usd: Decimal | None = None
    slots: CallSlots = field(default_factory=CallSlots)
    """Shared by all segments of this process."""

    async def run(self, segment: Segment) -> None:
        """Run until the execution pauses or ends. Raises OwnershipLost if another process has taken over.

        Every other failure sets the status ``failed`` with its reason: an exception that reached the queue would be
        final there while the execution still had the status ``running``.
        """
        journal = SegmentJournal(self.database, segment, self.catalog)
        try:
            state = await journal.begin()
            if state is not None:
                with caused_by(state.execution.request_id, execution_id=str(segment.execution_id)):
                    await _Work(self, segment, journal, state).go()
        except (OwnershipLost, asyncio.CancelledError):
            raise
        except Exception as error:
            log.exception("execution %s failed", segment.execution_id)
            await journal.fail(_reason(error), _code(error))

    def executor(self, segment: Segment) -> LLMStepExecutor:
        """The step executor of one segment."""
        return LLMStepExecutor(
            self.providers,
            PromptBuilder(self.catalog),
            OutputParser(),
            self.telemetry,
            StepJournal(self.database, segment, self.replies, self.daily_budget_usd),
            catalog=self.catalog,
            pricing=self.pricing,
            max_output_tokens=self.max_output_tokens,
            slots=self.slots,
        )


class _Work:
    """The loop of one segment: start each step when its inputs are ready, in parallel where possible."""

    def __init__(
        self, runner: ExecutionRunner, segment: Segment, journal: SegmentJournal, state: ExecutionSnapshot
    ) -> None:
        self._segment = segment
        self._journal = journal
        self._state = state
        self._workflow = state.execution.workflow
        self._executor = runner.executor(segment)
        self._tasks: dict[str, asyncio.Task[StepResult]] = {}
        self._revisions: dict[str, int] = {}
        """The revision in which each step was last started."""
        self._resting: set[str] = set()
        """Steps that have paused or ended in this segment; only an outside change makes them ready again."""

    async def go(self) -> None:
        try:
            while True:
                self._begin_ready()
                if self._tasks:
                    await self._wait()
                elif await self._journal.end(self._workflow) is Ending.MORE_TO_DO:
                    await self._read_again()
                else:
                    return
                if self._state.execution.status == ExecutionStatus.CANCELLED:
                    await self._stop_tasks()
                    await self._journal.forget_open_calls()
                    return
        finally:
            await self._stop_tasks()

    def _begin_ready(self) -> None:
        if self._segment.draining:
            return
        statuses = {step.step_id: step.status for step in self._state.steps}
        with caused_by(self._state.execution.request_id):  # differs from before if a person has changed something
            for step in runnable_steps(self._workflow, statuses):
                if step.step_id not in self._tasks and step.step_id not in self._resting:
                    context = context_of(self._state, step, running=len(self._tasks))
                    self._revisions[step.step_id] = context.revision
                    self._tasks[step.step_id] = asyncio.create_task(self._executor.execute(step, context))

    async def _wait(self) -> None:
        """Wait until a step has paused or ended or a person has changed something, then refresh the state."""
        waker = asyncio.create_task(self._segment.wake.wait())
        try:
            await asyncio.wait({waker, *self._tasks.values()}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waker.cancel()
        changed = self._segment.wake.is_set()
        self._segment.wake.clear()
        for step_id in [step_id for step_id, task in self._tasks.items() if task.done()]:
            changed |= await self._collect(step_id, self._tasks.pop(step_id))
        if changed:
            await self._read_again()

    async def _read_again(self) -> None:
        self._state = await self._journal.read()
        self._resting.clear()
        await self._stop(
            [
                step.step_id
                for step in self._state.steps
                if step.step_id in self._tasks and self._revisions[step.step_id] != step.revision
            ]
        )

    async def _stop(self, sent_back: list[str]) -> None:
        """Cancel steps that were sent back while they ran: their inputs are no longer current."""
        if not sent_back:
            return
        tasks = [self._tasks.pop(step_id) for step_id in sent_back]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._journal.forget_open_calls(sent_back)

    async def _collect(self, step_id: str, task: asyncio.Task[StepResult]) -> bool:
        """Results are already in the journal, unless a step was stopped from outside. True: read the tables again."""
        try:
            result = task.result()
        except NoMoreCalls:
            pass  # the process is stopping; the end of the segment hands the step over
        except LLMError as error:
            try:
                await self._stopped_by_provider(step_id, error)
            except SentBackSince:
                return True
        else:
            if isinstance(result, DocumentSaved):
                self._state = with_document(self._state, result)
                return result.read_again
            if isinstance(result, SentBack):
                return True
        self._resting.add(step_id)
        # A person may have released it since its last commit; if no other step is running, the segment's end sees it.
        return bool(self._tasks)

    async def _stopped_by_provider(self, step_id: str, error: LLMError) -> None:
        stopped = (step_id, self._revisions[step_id], _reason(error), _code(error))
        if isinstance(error, TransientLLMError):
            provider, wait_s = str(error.details.get("provider", "")), asked_wait_s(error) or 0.0
            await self._journal.wait_for_provider(*stopped, provider=provider, at_least_s=wait_s)
        else:
            await self._journal.fail_step(*stopped)

    async def _stop_tasks(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()


def _reason(error: BaseException) -> str:
    if isinstance(error, CombineError):
        return f"{error.message} {error.hint}" if error.hint else error.message
    return f"{type(error).__name__}: {error}"


def _code(error: BaseException) -> str:
    if isinstance(error, LLMError):
        return f"provider.{error.code}"
    return error.code if isinstance(error, CombineError) else "internal_error"

"""One segment of an execution: from its start or resume to the next pause or the end."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from combine.errors import CombineError, LLMError, OwnershipLost, TransientLLMError
from combine.execution.context import DocumentSaved, StepResult
from combine.execution.llm_step_executor import LLMStepExecutor, Providers
from combine.execution.output_parser import OutputParser
from combine.execution.segment import Segment
from combine.execution.segment_journal import Ending, SegmentJournal
from combine.execution.state import context_of, runnable_steps
from combine.execution.step_journal import StepJournal
from combine.execution.telemetry import Telemetry
from combine.llm.pricing import Pricing
from combine.storage.database import Database
from combine.storage.segment_state import SegmentState
from combine.workflows.catalog import Catalog
from combine.workflows.definitions import StepDefinition
from combine.workflows.prompts import PromptBuilder
from combine.workflows.statuses import ExecutionStatus

log = logging.getLogger("combine.execution")


@dataclass(frozen=True, slots=True)
class ExecutionRunner:
    """Runs segments. Knows no queue; what it is given to hold its claim is a ``Segment``."""

    database: Database
    catalog: Catalog
    providers: Providers
    pricing: Pricing
    telemetry: Telemetry
    max_output_tokens: int

    async def run(self, segment: Segment) -> None:
        """Work until the execution pauses or ends. Raises OwnershipLost if another process has taken over.

        Every other failure ends as the status ``failed`` with its reason: an exception that escaped into the queue
        would be final there while the execution still said ``running``.
        """
        journal = SegmentJournal(self.database, segment)
        try:
            state = await journal.begin()
            if state is not None:
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
            StepJournal(self.database, segment),
            catalog=self.catalog,
            pricing=self.pricing,
            max_output_tokens=self.max_output_tokens,
        )


class _Work:
    """The loop of one segment: begin each step when its inputs are ready, in parallel where they are."""

    def __init__(self, runner: ExecutionRunner, segment: Segment, journal: SegmentJournal, state: SegmentState) -> None:
        self._segment = segment
        self._journal = journal
        self._state = state
        self._executor = runner.executor(segment)
        self._tasks: dict[str, asyncio.Task[StepResult]] = {}

    async def go(self) -> None:
        try:
            while True:
                self._begin_ready()
                if not self._tasks:
                    if await self._journal.end() is not Ending.MORE_TO_DO:
                        return
                    self._state = await self._journal.read()
                    continue
                await self._wait()
                self._state = await self._journal.read()
                if self._state.execution.status == ExecutionStatus.CANCELLED:
                    await self._stop_tasks()
                    await self._journal.forget_open_calls()
                    return
        finally:
            await self._stop_tasks()

    def _begin_ready(self) -> None:
        if self._segment.draining:
            return
        for step in runnable_steps(self._state):
            if step.step_id not in self._tasks:
                self._tasks[step.step_id] = asyncio.create_task(self._step(step), name=f"step {step.step_id}")

    async def _step(self, step: StepDefinition) -> StepResult:
        used_ids = await self._journal.used_ids(self._state.execution.project_id, step.output)
        return await self._executor.execute(step, context_of(self._state, step, used_ids))

    async def _wait(self) -> None:
        waker = asyncio.create_task(self._segment.wake.wait())
        try:
            await asyncio.wait({waker, *self._tasks.values()}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waker.cancel()
        self._segment.wake.clear()
        finished = {step_id: task for step_id, task in self._tasks.items() if task.done()}
        for step_id, task in finished.items():
            del self._tasks[step_id]
            await self._settle(step_id, task)

    async def _settle(self, step_id: str, task: asyncio.Task[StepResult]) -> None:
        """Results are in the journal already, except what stopped a step from outside."""
        try:
            result = task.result()
        except TransientLLMError as error:
            await self._journal.stop_step(step_id, "waiting_for_provider", _reason(error), _code(error))
        except LLMError as error:
            await self._journal.stop_step(step_id, "failed", _reason(error), _code(error))
        else:
            if not isinstance(result, DocumentSaved):
                log.info("step %s rests: %s", step_id, type(result).__name__)

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

"""Runs or follows one execution until it finishes or waits, and reports the result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from uuid import UUID

from combine.cli.conversation import Conversation, answer_warnings
from combine.cli.exit_codes import ExitCode, of_status
from combine.cli.files import prepare_folder, write_documents
from combine.cli.formatting import as_json, short, status_words
from combine.cli.ports import Backend, ReadServices, WorkServices
from combine.cli.progress import LiveDisplay, PlainDisplay
from combine.cli.result import as_object, next_step, summary
from combine.cli.runtime import is_terminal, put, say
from combine.documents.statuses import UNDER_WAY
from combine.errors import CombineError, Conflict, DatabaseUnavailable
from combine.services.views import ExecutionDetail

_NEXT_TRY_S = 1.0

Begin = Callable[[WorkServices], Awaitable[UUID]]
"""Starts an execution or acts on one; returns its id."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """How a command talks to the user and where its result goes."""

    json: bool = False
    out: Path | None = None
    """The directory for the documents."""
    interactive: bool = False
    """Ask the user for what the execution waits for."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Answers given in advance; the user is warned about those that were not used."""

    def prepared(self, *, stdin_taken: bool = False, given: Mapping[str, str] | None = None) -> Self:
        """The same, interactive at a terminal. Raises Invalid if the directory is not writable."""
        if self.out is not None:
            prepare_folder(self.out)
        return replace(self, interactive=not stdin_taken and is_terminal(), given=given or {})


async def carry_on(backend: Backend, begin: Begin, presentation: Presentation, *, execution: str | None = None) -> int:
    """Call ``begin``, work until the execution finishes or waits, and report the result. Returns the exit code.

    ``execution``: the execution that ``begin`` acts on, if it exists already; its earlier events are not shown again.
    """
    execution_id: UUID | None = None
    try:
        async with backend.working() as services:
            seq = 0 if execution is None else (await services.inspection.detail(execution)).seq
            execution_id = await begin(services)
            try:
                detail = await _until_rest(services, execution_id, seq, presentation)
                return await report(services, detail, presentation)
            except asyncio.CancelledError:
                if await _is_waiting(services, execution_id):
                    return ExitCode.OTHER
                if (message := backend.stopping()) is not None:
                    say(message)
                raise
    except asyncio.CancelledError:
        say(backend.stopped(None if execution_id is None else short(execution_id)))
        return ExitCode.OTHER


async def _is_waiting(services: WorkServices, execution_id: UUID) -> bool:
    """Whether it waits or has ended, so that there is nothing to stop; then the next step is shown."""
    detail = await services.inspection.detail(str(execution_id))
    if detail.execution.status in UNDER_WAY:
        return False
    say(f"The execution is {status_words(detail.execution.status)}. Finished work is saved.")
    say(f"Next: {next_step(detail, {})}")
    return True


async def _until_rest(
    services: WorkServices, execution_id: UUID, seq: int, presentation: Presentation
) -> ExecutionDetail:
    conversation = Conversation(services)
    while True:
        seq = await follow(services, execution_id, seq, live=presentation.interactive)
        detail = await services.inspection.detail(str(execution_id))
        if not presentation.interactive or not await conversation.ask(detail):
            return detail


async def follow(services: ReadServices, execution_id: UUID, after_seq: int, *, live: bool) -> int:
    """Show events until the execution finishes or waits, also across outages. Returns the number of the last one."""
    detail = await services.inspection.detail(str(execution_id))
    outputs = {step.step_id: step.output for step in detail.steps}
    kind = LiveDisplay if live else PlainDisplay
    with kind(outputs, detail.execution.model) as display:
        while True:
            try:
                async for event in services.inspection.follow(execution_id, after_seq):
                    display.show(event)
                    after_seq = event.seq
            except DatabaseUnavailable as error:  # it has been retried for a while
                say(f"{error.message} Still waiting; if you stop, continue with: combine resume {short(execution_id)}")
                await asyncio.sleep(_NEXT_TRY_S)
            else:
                return after_seq


async def report(services: ReadServices, detail: ExecutionDetail, presentation: Presentation) -> int:
    """Write the documents and print the result. Returns the exit code. Raises CombineError for an unwritable file."""
    for line in answer_warnings(detail, presentation.given):
        say(line)
    paths: Mapping[UUID, Path] = {}
    unwritable: CombineError | None = None
    try:
        if presentation.out is not None:
            paths = await write_documents(services.documents, detail, presentation.out)
    except CombineError as error:
        unwritable = error  # print the result first
    put(as_json(as_object(detail, paths)) if presentation.json else "\n".join(summary(detail, paths)))
    if unwritable is not None:
        raise unwritable
    return of_status(detail.execution.status, detail.execution.reason_code)


async def or_follow(execution: str, services: WorkServices, act: Awaitable[UUID]) -> UUID:
    """Await ``act``; if another process is already running the execution, follow it instead."""
    try:
        return await act
    except Conflict as error:
        if error.code != "already_running":
            raise
        say(f"{error.message} Following it.")
        return (await services.inspection.detail(execution)).execution.id

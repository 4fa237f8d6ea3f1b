"""Carrying one execution to its next rest in this process, and telling how it went."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from combine.bootstrap import Reading, Working, open_working
from combine.cli.conversation import Conversation
from combine.cli.exit_codes import ExitCode, of_status
from combine.cli.files import write_documents
from combine.cli.progress import LiveDisplay, PlainDisplay
from combine.cli.result import as_object, summary
from combine.cli.runtime import put, say
from combine.cli.wording import duration, short
from combine.errors import Conflict
from combine.services.views import ExecutionDetail
from combine.settings import Settings

Begin = Callable[[Working], Awaitable[UUID]]
"""What a person wants to happen to an execution; its id."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a command talks to the person."""

    json: bool = False
    out: Path | None = None
    interactive: bool = False
    """Ask what the execution waits for."""


async def carry_on(settings: Settings, begin: Begin, manner: Manner) -> int:
    """Do what ``begin`` says, work until the execution rests, tell the result; the exit code."""
    execution_id: UUID | None = None
    try:
        async with open_working(settings, say) as working:
            execution_id = await begin(working)
            try:
                detail = await _to_rest(working, execution_id, manner)
            except asyncio.CancelledError:
                say(f"Stopping. A call in flight may end within {duration(settings.drain_grace.total_seconds())}; ")
                say("Ctrl-C again stops at once.")
                raise
            return await tell(working, detail, manner)
    except asyncio.CancelledError:
        if execution_id is None:
            say("Stopped before anything was begun.")
        else:
            name = short(execution_id)
            say(f"Stopped. Nothing that was finished is lost. Go on with: combine resume {name}")
        return ExitCode.OTHER


async def _to_rest(working: Working, execution_id: UUID, manner: Manner) -> ExecutionDetail:
    conversation = Conversation(working)
    seq = 0
    while True:
        seq = await follow(working, execution_id, seq, live=manner.interactive)
        detail = await working.inspection.detail(str(execution_id))
        if not manner.interactive or not await conversation.settle(detail):
            return detail


async def follow(reading: Reading, execution_id: UUID, after_seq: int, *, live: bool) -> int:
    """Show events until the execution rests; the number of the last one."""
    detail = await reading.inspection.detail(str(execution_id))
    outputs = {step.step_id: step.output for step in detail.steps}
    with LiveDisplay(outputs) if live else PlainDisplay(outputs) as display:
        async for event in reading.inspection.follow(execution_id, after_seq):
            display.show(event)
            after_seq = event.seq
    return after_seq


async def tell(reading: Reading, detail: ExecutionDetail, manner: Manner) -> int:
    """Write the documents and print the result; the exit code."""
    paths = {} if manner.out is None else await write_documents(reading.documents, detail, manner.out)
    if manner.json:
        put(json.dumps(as_object(detail, paths), ensure_ascii=False, indent=2))
    else:
        put("\n".join(summary(detail, paths)))
    return of_status(detail.execution.status, detail.execution.reason_code)


async def or_follow(execution: str, working: Working, act: Awaitable[UUID]) -> UUID:
    """Do it; where another process works on the execution already, follow that one."""
    try:
        return await act
    except Conflict as refused:
        if refused.code != "already_running":
            raise
        say(f"{refused.message} Following it.")
        return (await working.inspection.detail(execution)).execution.id

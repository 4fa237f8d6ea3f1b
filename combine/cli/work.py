"""Carrying one execution to its next rest in this process, and telling how it went."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from combine.cli.conversation import Conversation, about_given_answers
from combine.cli.exit_codes import ExitCode, of_status
from combine.cli.files import write_documents
from combine.cli.ports import Place, Reading, Working
from combine.cli.progress import LiveDisplay, PlainDisplay
from combine.cli.result import UNDER_WAY, as_object, next_step, summary
from combine.cli.runtime import put, say
from combine.cli.wording import short, words
from combine.errors import CombineError, Conflict
from combine.services.views import ExecutionDetail

Begin = Callable[[Working], Awaitable[UUID]]
"""What a person wants to happen to an execution; its id."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a command talks to the person."""

    json: bool = False
    out: Path | None = None
    interactive: bool = False
    """Ask what the execution waits for."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Answers given in advance; those that came to nothing are told."""


async def carry_on(place: Place, begin: Begin, manner: Manner, *, execution: str | None = None) -> int:
    """Do what ``begin`` says, work until the execution rests, tell the result; the exit code.

    ``execution``: the one it is done to, where there is one already; what happened to it before is not told again.
    """
    execution_id: UUID | None = None
    try:
        async with place.working() as working:
            seq = 0 if execution is None else (await working.inspection.detail(execution)).seq
            execution_id = await begin(working)
            try:
                return await tell(working, await _to_rest(working, execution_id, seq, manner), manner)
            except asyncio.CancelledError:
                if await _waits(working, execution_id):
                    return ExitCode.OTHER
                if (told := place.stopping()) is not None:
                    say(told)
                raise
    except asyncio.CancelledError:
        say(place.stopped(None if execution_id is None else short(execution_id)))
        return ExitCode.OTHER


async def _waits(working: Working, execution_id: UUID) -> bool:
    """Whether it rests and so cannot be stopped; if so, how to go on is told."""
    detail = await working.inspection.detail(str(execution_id))
    if detail.execution.status in UNDER_WAY:
        return False
    say(f"The execution is {words(detail.execution.status)}. Nothing is lost.")
    say(f"Next: {next_step(detail, {})}")
    return True


async def _to_rest(working: Working, execution_id: UUID, seq: int, manner: Manner) -> ExecutionDetail:
    conversation = Conversation(working)
    while True:
        seq = await follow(working, execution_id, seq, live=manner.interactive)
        detail = await working.inspection.detail(str(execution_id))
        if not manner.interactive or not await conversation.settle(detail):
            return detail


async def follow(reading: Reading, execution_id: UUID, after_seq: int, *, live: bool) -> int:
    """Show events until the execution rests; the number of the last one."""
    detail = await reading.inspection.detail(str(execution_id))
    outputs = {step.step_id: step.output for step in detail.steps}
    kind = LiveDisplay if live else PlainDisplay
    with kind(outputs, detail.execution.model) as display:
        async for event in reading.inspection.follow(execution_id, after_seq):
            display.show(event)
            after_seq = event.seq
    return after_seq


async def tell(reading: Reading, detail: ExecutionDetail, manner: Manner) -> int:
    """Write the documents and print the result; the exit code. Raises CombineError for an unwritable file."""
    for line in about_given_answers(detail, manner.given):
        say(line)
    paths: Mapping[UUID, Path] = {}
    lost: CombineError | None = None
    try:
        if manner.out is not None:
            paths = await write_documents(reading.documents, detail, manner.out)
    except CombineError as error:
        lost = error  # what has been done is told first
    if manner.json:
        put(json.dumps(as_object(detail, paths), ensure_ascii=False, indent=2))
    else:
        put("\n".join(summary(detail, paths)))
    if lost is not None:
        raise lost
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

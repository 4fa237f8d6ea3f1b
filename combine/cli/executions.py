"""``combine list``, ``show``, ``watch`` and ``cancel``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from combine.cli.backend import choose_backend
from combine.cli.exit_codes import ExitCode, of_status
from combine.cli.formatting import OFFLINE_BANNER, age, as_json, count, duration, short, status_words, table, usd
from combine.cli.result import (
    as_object,
    cost_text,
    finding_lines,
    is_offline,
    next_step,
    retry_text,
    tokens_text,
)
from combine.cli.runtime import is_terminal, put, say
from combine.cli.work import Presentation, follow, report
from combine.documents.statuses import UNDER_WAY, CallState, ExecutionStatus
from combine.services.views import CallView, ExecutionDetail, ExecutionView


async def list_executions(project: str | None, status: ExecutionStatus | None, limit: int, *, json: bool) -> int:
    """The newest executions."""
    async with choose_backend().reading() as services:
        found = await services.inspection.list(project, status, limit)
    if json:
        put(as_json([asdict(one) for one in found]))
        return ExitCode.COMPLETED
    if not found:
        put("No executions. Start one with: combine run BRIEF")
        return ExitCode.COMPLETED
    now = datetime.now(UTC)
    for line in table(("ID", "PROJECT", "WORKFLOW", "STATUS", "AGE", "COST"), [_row(one, now) for one in found]):
        put(line)
    if len(found) == limit:
        say(f"Showing the newest {limit}; use --limit to see more.")
    return ExitCode.COMPLETED


def _row(view: ExecutionView, now: datetime) -> tuple[str, ...]:
    cost = cost_at_most(view)
    return (short(view.id), view.project, view.workflow_id, status_words(view.status), age(view.created_at, now), cost)


def cost_at_most(view: ExecutionView) -> str:
    """The cost, with "at most" in front if it includes amounts reserved for calls whose outcome is unknown."""
    uncertain = view.cost_usd is not None and view.cost_usd > view.spent_usd
    return f"at most {usd(view.cost_usd)}" if uncertain else usd(view.cost_usd)


async def show(execution: str, *, json: bool) -> int:
    """Everything about one execution."""
    async with choose_backend().reading() as services:
        detail = await services.inspection.detail(execution)
    put(as_json(as_object(detail, {})) if json else "\n".join(_details(detail, datetime.now(UTC))))
    return ExitCode.COMPLETED


def _details(detail: ExecutionDetail, now: datetime) -> Iterator[str]:
    yield from _overview(detail, now)
    yield from _section("Steps", _steps(detail))
    yield from _section("Documents", _documents(detail))
    yield from _section("Questions", _questions(detail))
    yield from _section("Findings", finding_lines(detail))
    yield from _section("Calls", _calls(detail))
    yield ""
    yield f"Next: {next_step(detail, {})}"


def _overview(detail: ExecutionDetail, now: datetime) -> Iterator[str]:
    execution = detail.execution
    yield f"Execution {execution.id}: {status_words(execution.status)}"
    if reason := detail.execution.reason:
        yield reason
    if execution.next_try_at is not None:
        yield f"Waiting for {execution.waits_for or 'the provider'}: {retry_text(execution)}"
    if is_offline(detail):
        yield OFFLINE_BANNER
    yield ""
    yield f"Project   {execution.project}"
    yield f"Workflow  {execution.workflow_id}, model {execution.model}"
    if execution.forked_from is not None:
        yield f"Fork of   {execution.forked_from}"
    yield (
        f"Started   {execution.created_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {age(execution.created_at, now)} ago; "
        f"ran for {duration(detail.duration_s)}"
        + (f", {count(detail.revision, 'revision')}" if detail.revision else "")
    )
    yield f"Cost      {cost_text(detail)}"
    yield f"Tokens    {tokens_text(detail)}"


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    shown = list(lines)
    if shown:
        yield ""
        yield title
        yield from shown


def _steps(detail: ExecutionDetail) -> Iterator[str]:
    rows = [
        (step.step_id, step.role, step.output, status_words(step.status), str(step.attempts), str(step.revision))
        for step in detail.steps
    ]
    yield from table(
        ("STEP", "ROLE", "DOCUMENT", "STATUS", "REPLIES", "REVISION"), rows, right=frozenset({4, 5}), indent="  "
    )
    for step in detail.steps:
        if step.reason and step.reason != detail.execution.reason:
            yield f"  {step.step_id}: {step.reason}"


def _documents(detail: ExecutionDetail) -> Iterator[str]:
    if detail.documents:
        rows = [(short(one.id), one.type, str(one.version), one.status) for one in detail.documents]
        yield from table(("ID", "TYPE", "VERSION", "STATUS"), rows, right=frozenset({2}), indent="  ")


def _questions(detail: ExecutionDetail) -> Iterator[str]:
    for question in detail.questions:
        yield f"  {question.id}  {question.text}"
        if question.answer is None:
            yield f"       open; default: {question.default}"
        else:
            origin = f" (default, recorded as {question.assumption_id})" if question.assumption_id else ""
            yield f"       {question.answer}{origin}"


def _calls(detail: ExecutionDetail) -> Iterator[str]:
    if not detail.calls:
        return
    headers = ("ID", "STEP", "REVISION", "ATTEMPT", "PURPOSE", "MODEL", "STATE", "IN", "OUT", "SECONDS", "COST")
    rows = [_call_row(call) for call in detail.calls]
    yield from table(headers, rows, right=frozenset({2, 3, 7, 8, 9, 10}), indent="  ")
    for call in detail.calls:
        if call.error:
            yield f"  {call.step_id}, attempt {call.attempt}: {call.error}"
        if call.state == CallState.OUTCOME_UNKNOWN:
            yield (
                f"  {call.step_id}, attempt {call.attempt}: counts as {usd(call.reserved_usd)} until settled. "
                f"Record the billed amount with: "
                f"combine settle {short(detail.execution.id)} {short(call.id)} --usd USD"
            )


def _call_row(call: CallView) -> tuple[str, ...]:
    unknown = call.state in {CallState.INTENT, CallState.OUTCOME_UNKNOWN}
    input_tokens = call.tokens.input + call.tokens.cache_read + call.tokens.cache_write
    ended = None if unknown else call.finished_at
    return (
        short(call.id),
        call.step_id,
        str(call.revision),
        str(call.attempt),
        call.purpose,
        call.model if call.model == call.provider else f"{call.provider}:{call.model}".rstrip(":"),
        "in flight" if call.state == CallState.INTENT else status_words(call.state),
        "?" if unknown else f"{input_tokens:,}",
        "?" if unknown else f"{call.tokens.output:,}",
        "?" if ended is None else f"{(ended - call.started_at).total_seconds():.1f}",
        f"reserved {usd(call.reserved_usd)}" if unknown else usd(call.cost_usd),
    )


async def watch(execution: str, *, json: bool) -> int:
    """All events, as they happen, until the execution finishes or waits."""
    async with choose_backend().reading() as services:
        detail = await services.inspection.detail(execution)
        execution_id = detail.execution.id
        executors = await services.inspection.executors() if detail.execution.status in UNDER_WAY else None
        if executors is not None and not any(one.alive for one in executors):
            say(f"No worker is running. To continue the execution: combine resume {short(execution_id)}")
        if json:
            async for event in services.inspection.follow(execution_id):
                put(as_json(asdict(event), indent=None))
            detail = await services.inspection.detail(str(execution_id))
            return of_status(detail.execution.status, detail.execution.reason_code)
        await follow(services, execution_id, 0, live=is_terminal())
        detail = await services.inspection.detail(str(execution_id))
        return await report(services, detail, Presentation())


async def cancel(execution: str, *, json: bool) -> int:
    """Cancel an execution permanently."""
    async with choose_backend().working(start=False) as services:
        execution_id = await services.executions.cancel(execution)
        detail = await services.inspection.detail(str(execution_id))
    if json:
        put(as_json(as_object(detail, {})))
    else:
        put(f"Cancelled execution {short(execution_id)}. Its documents are kept: combine show {short(execution_id)}")
    return ExitCode.COMPLETED

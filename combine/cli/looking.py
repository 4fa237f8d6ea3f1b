"""``combine list``, ``show``, ``watch``, ``cancel`` and ``costs``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from json import dumps
from typing import TYPE_CHECKING, Any

from combine.cli.exit_codes import ExitCode, of_status
from combine.cli.places import the_place
from combine.cli.result import (
    UNDER_WAY,
    as_object,
    cost_in_words,
    findings_as_text,
    is_offline,
    next_step,
    tokens_in_words,
)
from combine.cli.runtime import is_terminal, put, say
from combine.cli.tables import table
from combine.cli.wording import OFFLINE_BANNER, age, count, duration, short, usd, words
from combine.cli.work import Manner, follow, tell
from combine.documents.statuses import CallState, ExecutionStatus
from combine.services.views import CallView, ExecutionDetail, ExecutionView

if TYPE_CHECKING:  # costs more to import than a command at a server takes
    from combine.services.costs import CostGroupView, GroupBy


def as_json(value: Any) -> str:
    """Views as JSON: ids and times as text, money as numbers."""
    return dumps(value, ensure_ascii=False, indent=2, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


async def list_executions(project: str | None, status: ExecutionStatus | None, limit: int, *, json: bool) -> int:
    """The newest executions."""
    async with the_place().reading() as reading:
        found = await reading.inspection.list(project, status, limit)
    if json:
        put(as_json([asdict(one) for one in found]))
        return ExitCode.COMPLETED
    if not found:
        put("No executions. Begin one: combine run BRIEF")
        return ExitCode.COMPLETED
    now = datetime.now(UTC)
    for line in table(("ID", "PROJECT", "WORKFLOW", "STATUS", "AGE", "COST"), [_line(one, now) for one in found]):
        put(line)
    if len(found) == limit:
        say(f"The newest {limit}; --limit shows more.")
    return ExitCode.COMPLETED


def _line(view: ExecutionView, now: datetime) -> tuple[str, ...]:
    cost = cost_at_most(view)
    return (short(view.id), view.project, view.workflow_id, words(view.status), age(view.created_at, now), cost)


def cost_at_most(view: ExecutionView) -> str:
    """What was paid; ``at most`` before it if what is only reserved, for calls of unknown outcome, is in it."""
    uncertain = view.cost_usd is not None and view.cost_usd > view.spent_usd
    return f"at most {usd(view.cost_usd)}" if uncertain else usd(view.cost_usd)


async def show(execution: str, *, json: bool) -> int:
    """Everything about one execution."""
    async with the_place().reading() as reading:
        detail = await reading.inspection.detail(execution)
    put(as_json(as_object(detail, {})) if json else "\n".join(page(detail, datetime.now(UTC))))
    return ExitCode.COMPLETED


def page(detail: ExecutionDetail, now: datetime) -> Iterator[str]:
    """The page of one execution for a person."""
    yield from _facts(detail, now)
    yield from _section("Steps", _steps(detail))
    yield from _section("Documents", _documents(detail))
    yield from _section("Questions", _questions(detail))
    yield from _section("Findings", findings_as_text(detail))
    yield from _section("Calls", _calls(detail))
    yield ""
    yield f"Next: {next_step(detail, {})}"


def _facts(detail: ExecutionDetail, now: datetime) -> Iterator[str]:
    execution = detail.execution
    yield f"Execution {execution.id}: {words(execution.status)}"
    if reason := detail.execution.reason:
        yield reason
    if execution.next_try_at is not None:
        when = f"{execution.next_try_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        failed = count(execution.tries, "try", "tries")
        yield f"Waits for {execution.waits_for or 'the provider'}: next try {when}, after {failed} in vain."
    if is_offline(detail):
        yield OFFLINE_BANNER
    yield ""
    yield f"Project   {execution.project}"
    yield f"Workflow  {execution.workflow_id}, model {execution.model}"
    if execution.forked_from is not None:
        yield f"Fork of   {execution.forked_from}"
    yield (
        f"Begun     {execution.created_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {age(execution.created_at, now)} ago; "
        f"{duration(detail.duration_s)} of work"
        + (f", {count(detail.revision, 'revision')}" if detail.revision else "")
    )
    yield f"Cost      {cost_in_words(detail)}"
    yield f"Tokens    {tokens_in_words(detail)}"


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    shown = list(lines)
    if shown:
        yield ""
        yield title
        yield from shown


def _steps(detail: ExecutionDetail) -> Iterator[str]:
    rows = [
        (step.step_id, step.role, step.output, words(step.status), str(step.attempts), str(step.revision))
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
            yield f"       open; if left to us: {question.default}"
        else:
            by = f" (left to us: {question.assumption_id})" if question.assumption_id else ""
            yield f"       {question.answer}{by}"


def _calls(detail: ExecutionDetail) -> Iterator[str]:
    if not detail.calls:
        return
    headers = ("ID", "STEP", "REVISION", "ATTEMPT", "PURPOSE", "MODEL", "STATE", "IN", "OUT", "SECONDS", "COST")
    rows = [_call(call) for call in detail.calls]
    yield from table(headers, rows, right=frozenset({2, 3, 7, 8, 9, 10}), indent="  ")
    for call in detail.calls:
        if call.error:
            yield f"  {call.step_id}, attempt {call.attempt}: {call.error}"
        if call.state == CallState.OUTCOME_UNKNOWN:
            yield (
                f"  {call.step_id}, attempt {call.attempt}: counts as {usd(call.reserved_usd)}. What the bill shows: "
                f"combine settle {short(detail.execution.id)} {short(call.id)} --usd USD"
            )


def _call(call: CallView) -> tuple[str, ...]:
    unknown = call.state in {CallState.INTENT, CallState.OUTCOME_UNKNOWN}
    taken = call.tokens.input + call.tokens.cache_read + call.tokens.cache_write
    ended = None if unknown else call.finished_at
    return (
        short(call.id),
        call.step_id,
        str(call.revision),
        str(call.attempt),
        call.purpose,
        call.model if call.model == call.provider else f"{call.provider}:{call.model}".rstrip(":"),
        "in flight" if call.state == CallState.INTENT else words(call.state),
        "?" if unknown else f"{taken:,}",
        "?" if unknown else f"{call.tokens.output:,}",
        "?" if ended is None else f"{(ended - call.started_at).total_seconds():.1f}",
        f"reserved {usd(call.reserved_usd)}" if unknown else usd(call.cost_usd),
    )


async def watch(execution: str, *, json: bool) -> int:
    """Events from the first to the last, as they happen, until the execution rests."""
    async with the_place().reading() as reading:
        detail = await reading.inspection.detail(execution)
        executors = await reading.inspection.executors() if detail.execution.status in UNDER_WAY else None
        if executors is not None and not any(one.alive for one in executors):
            say(f"No process works at present. combine resume {short(detail.execution.id)} goes on with it.")
        if json:
            async for event in reading.inspection.follow(detail.execution.id):
                put(dumps(asdict(event), default=_plain, ensure_ascii=False))
            detail = await reading.inspection.detail(str(detail.execution.id))
            return of_status(detail.execution.status, detail.execution.reason_code)
        await follow(reading, detail.execution.id, 0, live=is_terminal())
        detail = await reading.inspection.detail(str(detail.execution.id))
        return await tell(reading, detail, Manner())


async def cancel(execution: str, *, json: bool) -> int:
    """End an execution for good; what it has made stays."""
    async with the_place().working(start=False) as working:
        execution_id = await working.executions.cancel(execution)
        detail = await working.inspection.detail(str(execution_id))
    if json:
        put(as_json(as_object(detail, {})))
    else:
        put(f"Execution {short(execution_id)} is cancelled. What it has made stays: combine show {short(execution_id)}")
    return ExitCode.COMPLETED


async def costs(by: GroupBy, project: str | None, since: datetime | None, *, json: bool) -> int:
    """What was spent, on what."""
    async with the_place().reading() as reading:
        report = await reading.costs.report(by, project, since)
    if json:
        put(as_json(asdict(report)))
        return ExitCode.COMPLETED
    if not report.groups:
        put("No calls.")
        return ExitCode.COMPLETED
    headers = (
        by.value.upper(),
        "CALLS",
        "FAILED",
        "IN",
        "CACHED IN",
        "OUT",
        "COST",
        "NO PRICE",
        "RESERVED",
        "OUTCOME UNKNOWN",
        "AT MOST",
    )
    rows = [_cost_line(group) for group in (*report.groups, report.total)]
    for line in table(headers, rows, right=frozenset(range(1, len(headers)))):
        put(line)
    total = report.total
    if total.unpriced:
        put(f"\nNot in these sums: {count(total.unpriced, 'call')} of unknown price (COMBINE_LLM_PRICES sets one).")
    if total.reserved_usd:
        put(f"\nReserved for calls in flight: {usd(total.reserved_usd)}.")
    if total.outcome_unknown_usd:
        put(f"\nOutcome unknown, and counted as spent under every cap: at most {usd(total.outcome_unknown_usd)}.")
        put("When the provider's bill shows what such a call has cost: combine settle EXECUTION CALL --usd USD")
    return ExitCode.COMPLETED


def _cost_line(group: CostGroupView) -> tuple[str, ...]:
    tokens = group.tokens
    return (
        group.key,
        f"{group.calls:,}",
        f"{group.failed:,}",
        f"{tokens.input + tokens.cache_write:,}",
        f"{tokens.cache_read:,}",
        f"{tokens.output:,}",
        usd(group.cost_usd),
        f"{group.unpriced:,}",
        usd(group.reserved_usd),
        f"{group.outcome_unknown:,}",
        usd(group.outcome_unknown_usd),
    )

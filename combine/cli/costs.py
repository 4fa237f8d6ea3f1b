"""``combine costs``, ``settle`` and ``projects``, and the estimate before a start."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal

from combine.cli.backend import choose_backend
from combine.cli.exit_codes import ExitCode
from combine.cli.formatting import as_json, count, short, table, usd
from combine.cli.inputs import read_brief
from combine.cli.result import as_object, cost_text, next_step
from combine.cli.runtime import put
from combine.documents.statuses import ExecutionStatus, GroupBy
from combine.services.views import CostGroupView, EstimateView, ExecutionDetail, Range

_AT_ANOTHER_CAP = frozenset({"project_budget_reached", "daily_budget_reached"})


async def show_costs(by: GroupBy, project: str | None, since: datetime | None, *, json: bool) -> int:
    """Calls, tokens and costs, grouped."""
    async with choose_backend().reading() as services:
        report = await services.costs.report(by, project, since)
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
    rows = [_cost_row(group) for group in (*report.groups, report.total)]
    for line in table(headers, rows, right=frozenset(range(1, len(headers)))):
        put(line)
    total = report.total
    if total.unpriced:
        put(f"\nNot included: {count(total.unpriced, 'call')} without a known price (set it with COMBINE_LLM_PRICES).")
    if total.reserved_usd:
        put(f"\nReserved for calls in flight: {usd(total.reserved_usd)}.")
    if total.outcome_unknown_usd:
        put(f"\nCalls with an unknown outcome: at most {usd(total.outcome_unknown_usd)}, counted towards every cap.")
        put("To record what the provider has billed: combine settle EXECUTION CALL --usd USD")
    return ExitCode.COMPLETED


def _cost_row(group: CostGroupView) -> tuple[str, ...]:
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


async def settle(execution: str, call: str, amount: Decimal, *, json: bool) -> int:
    """Record what a call whose outcome is unknown has cost."""
    async with choose_backend().reading() as services:
        execution_id = await services.settling.settle(execution, call, amount)
        detail = await services.inspection.detail(str(execution_id))
    if json:
        put(as_json(as_object(detail, {})))
        return ExitCode.COMPLETED
    put(f"Settled call {call.strip()} of execution {short(execution_id)} at {usd(amount)}.")
    put(f"Cost of the execution: {cost_text(detail)}")
    if detail.execution.status is ExecutionStatus.WAITING_FOR_BUDGET:
        put(f"It is still waiting at a cap. Next: {_after_settling(detail)}")
    return ExitCode.COMPLETED


def _after_settling(detail: ExecutionDetail) -> str:
    """How to resume now that there may be room under the same cap."""
    execution, resume = detail.execution, f"combine resume {short(detail.execution.id)}"
    if execution.reason_code in _AT_ANOTHER_CAP:
        return resume
    if execution.reason_code == "budget_reached" and execution.budget_usd is not None:
        return f"{resume} --budget {execution.budget_usd.normalize():f}  (the same cap, or a higher one)"
    return next_step(detail, {})


async def list_projects(*, json: bool) -> int:
    """All projects by name."""
    async with choose_backend().reading() as services:
        projects = await services.projects.list()
    if json:
        put(as_json([asdict(one) for one in projects]))
        return ExitCode.COMPLETED
    if not projects:
        put("No projects. Create one with: combine run BRIEF --project NAME")
        return ExitCode.COMPLETED
    rows = [
        (
            one.name,
            str(one.documents),
            str(one.executions),
            "none" if one.budget_usd is None else usd(one.budget_usd),
            usd(one.spent_usd),
            usd(one.reserved_usd),
        )
        for one in projects
    ]
    headers = ("PROJECT", "DOCUMENTS", "EXECUTIONS", "CAP", "SPENT", "RESERVED")
    for line in table(headers, rows, right=frozenset(range(1, len(headers)))):
        put(line)
    return ExitCode.COMPLETED


async def set_budget(name: str, amount: Decimal | None, *, json: bool) -> int:
    """Set or remove the cap of a project."""
    async with choose_backend().reading() as services:
        project = await services.projects.set_budget(name, amount)
    if json:
        put(as_json(asdict(project)))
        return ExitCode.COMPLETED
    cap = "no cap" if amount is None else f"a cap of {usd(amount)}"
    put(f"Project {name!r} now has {cap}. Spent {usd(project.spent_usd)}, reserved {usd(project.reserved_usd)}.")
    return ExitCode.COMPLETED


async def show_estimate(brief_path: str, workflow: str, model: str | None, *, json: bool) -> int:
    """``combine run --estimate``: the estimated cost, without starting anything."""
    backend = choose_backend()
    brief = read_brief(brief_path)
    model_name = backend.model_for(model)
    async with backend.reading() as services:
        estimate = await services.estimates.estimate(brief, workflow, model_name)
    put(as_json(asdict(estimate)) if json else estimate_text(estimate))
    return ExitCode.COMPLETED


def estimate_text(estimate: EstimateView) -> str:
    """An estimate in one line."""
    if not estimate.uses_model:
        return "Estimate: 0 USD: no language model"
    return (
        f"Estimate: {_token_range(estimate.input_tokens)} tokens in, {_token_range(estimate.output_tokens)} out; "
        f"{_cost_range(estimate)} ({_basis(estimate)})"
    )


def _token_range(tokens: Range) -> str:
    return f"{tokens.low:,}" if tokens.low == tokens.high else f"{tokens.low:,} to {tokens.high:,}"


def _cost_range(estimate: EstimateView) -> str:
    if estimate.usd is None:
        return usd(None)
    if estimate.usd.low == estimate.usd.high:
        return usd(estimate.usd.high)
    return f"{usd(estimate.usd.low).removesuffix(' USD')} to {usd(estimate.usd.high)}"


def _basis(estimate: EstimateView) -> str:
    if estimate.characters_per_token is None:
        return f"from {count(estimate.earlier_executions, 'earlier execution')}"
    most, fewest = estimate.characters_per_token
    return f"no history: assuming {fewest:g} to {most:g} characters per token"

"""``combine settle``."""

from __future__ import annotations

from decimal import Decimal

from combine.cli.exit_codes import ExitCode
from combine.cli.looking import as_json
from combine.cli.places import the_place
from combine.cli.result import as_object, cost_in_words, next_step
from combine.cli.runtime import put
from combine.cli.wording import short, usd
from combine.documents.statuses import ExecutionStatus
from combine.services.views import ExecutionDetail

_AT_ANOTHER_CAP = frozenset({"project_budget_reached", "daily_budget_reached"})


async def settle(execution: str, call: str, amount: Decimal, *, json: bool) -> int:
    """Say what a call of unknown outcome has cost."""
    async with the_place().reading() as reading:
        execution_id = await reading.settling.settle(execution, call, amount)
        detail = await reading.inspection.detail(str(execution_id))
    if json:
        put(as_json(as_object(detail, {})))
        return ExitCode.COMPLETED
    put(f"Call {call.strip()} of execution {short(execution_id)} counts as {usd(amount)} now.")
    put(f"Cost of the execution: {cost_in_words(detail)}")
    if detail.execution.status is ExecutionStatus.WAITING_FOR_BUDGET:
        put(f"It still waits at a cap. Next: {_to_go_on(detail)}")
    return ExitCode.COMPLETED


def _to_go_on(detail: ExecutionDetail) -> str:
    """What to type where the cap may have room by now, as it is."""
    execution, resume = detail.execution, f"combine resume {short(detail.execution.id)}"
    if execution.reason_code in _AT_ANOTHER_CAP:
        return resume
    if execution.reason_code == "budget_reached" and execution.budget_usd is not None:
        return f"{resume} --budget {execution.budget_usd.normalize():f}  (its cap as it is, or more)"
    return next_step(detail, {})

"""What people do to executions of a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from combine.cli.remote.client import API, Client
from combine.cli.remote.inspection import execution_path
from combine.documents.statuses import DecisionAction
from combine.services.executions import StartExecution
from combine.services.forks import ForkExecution
from combine.services.views import ExecutionDetail


@dataclass(frozen=True, slots=True)
class RemoteExecutions:
    """See the port."""

    client: Client

    async def start(self, command: StartExecution) -> UUID:
        """See the port. Sent with a key, so that a lost answer starts nothing twice."""
        by_id = isinstance(command.project, UUID)
        body = {
            "workflow_id": command.workflow_id,
            "project_id" if by_id else "project": str(command.project),
            "brief": command.brief.text,
            "answers": dict(command.answers),
            "model": command.model or None,
            "budget_usd": _money(command.budget_usd),
            "ask": command.ask,
            "allow_unpriced": command.allow_unpriced,
        }
        started = await self.client.post(ExecutionDetail, f"{API}/executions", body, key=uuid4().hex)
        return started.execution.id

    async def answer(self, execution: str, given: Mapping[str, str], *, decide_rest: bool = False) -> UUID:
        """See the port."""
        return await self._do(execution, "answers", {"answers": dict(given), "decide_rest": decide_rest})

    async def accept(self, execution: str, step_id: str | None = None) -> UUID:
        """See the port."""
        return await self._do(execution, "accept", {"step_id": step_id})

    async def reject(self, execution: str, reason: str, step_id: str | None = None) -> UUID:
        """See the port."""
        return await self._do(execution, "reject", {"reason": reason, "step_id": step_id})

    async def decide(self, execution: str, action: DecisionAction, guidance: str | None = None) -> UUID:
        """See the port."""
        return await self._do(execution, "decide", {"action": action.value, "guidance": guidance})

    async def cancel(self, execution: str) -> UUID:
        """See the port."""
        return await self._do(execution, "cancel", {})

    async def resume(self, execution: str, budget_usd: Decimal | None = None, *, allow_unpriced: bool = False) -> UUID:
        """See the port."""
        return await self._do(execution, "resume", {"budget_usd": _money(budget_usd), "allow_unpriced": allow_unpriced})

    async def fork(self, execution: str, command: ForkExecution) -> UUID:
        """See the port."""
        body = {
            "from_step": command.from_step,
            "model": command.model,
            "budget_usd": _money(command.budget_usd),
            "allow_unpriced": command.allow_unpriced,
        }
        return await self._do(execution, "fork", body)

    async def _do(self, execution: str, what: str, body: Mapping[str, Any]) -> UUID:
        detail = await self.client.post(ExecutionDetail, f"{execution_path(execution)}/{what}", body)
        return detail.execution.id


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")

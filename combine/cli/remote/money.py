"""What was spent at a server, what a start there may cost, the caps of its projects, and calls of unknown outcome."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from combine.brief.brief import Brief
from combine.cli.remote.client import API, Client, Page
from combine.cli.remote.inspection import execution_path
from combine.errors import NotFound
from combine.services.costs import CostReport, GroupBy
from combine.services.estimates import EstimateView
from combine.services.projects import ProjectView
from combine.services.views import ExecutionDetail
from combine.storage.core.id_prefix import uuid_range


@dataclass(frozen=True, slots=True)
class RemoteCosts:
    """See the port."""

    client: Client

    async def report(self, by: GroupBy, project: str | None = None, since: datetime | None = None) -> CostReport:
        """See the port; of ``since`` the day counts."""
        day = None if since is None else since.date().isoformat()
        asked = {"group_by": by.value, "project": project, "since": day}
        return await self.client.get(CostReport, f"{API}/costs", asked)


@dataclass(frozen=True, slots=True)
class RemoteEstimates:
    """See the port."""

    client: Client

    async def estimate(self, brief: Brief, workflow_id: str, model: str) -> EstimateView:
        """See the port."""
        body = {"workflow_id": workflow_id, "brief": brief.text, "model": model or None}
        return await self.client.post(EstimateView, f"{API}/estimates", body, again=True)


@dataclass(frozen=True, slots=True)
class RemoteProjects:
    """See the port."""

    client: Client

    async def list(self) -> tuple[ProjectView, ...]:
        """See the port."""
        return await self.client.page(ProjectView, f"{API}/projects")

    async def set_budget(self, project: str, budget_usd: Decimal | None) -> ProjectView:
        """See the port. Raises NotFound."""
        found = await self.client.get(Page[ProjectView], f"{API}/projects", {"name": project})
        if not found.items:
            raise NotFound(
                f"There is no project {project!r}.",
                code="project_not_found",
                hint="`combine projects list` shows them.",
            )
        amount = None if budget_usd is None else format(budget_usd, "f")
        path = f"{API}/projects/{found.items[0].id}"
        return await self.client.patch(ProjectView, path, {"budget_usd": amount})


@dataclass(frozen=True, slots=True)
class RemoteSettling:
    """See the port."""

    client: Client

    async def settle(self, execution: str, call: str, usd: Decimal) -> UUID:
        """See the port. Raises what a look in the database would."""
        path = execution_path(execution)
        if uuid_range(call) is None:
            hint = "`combine show` names the calls of an execution."
            raise NotFound(f"There is no call {call} in this execution.", code="call_not_found", hint=hint)
        body = {"usd": format(usd, "f")}
        detail = await self.client.post(ExecutionDetail, f"{path}/calls/{call.strip()}/settle", body, again=True)
        return detail.execution.id

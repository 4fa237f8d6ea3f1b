"""Documents, executions, costs, projects and settling on a server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4

from combine.brief.brief import Brief
from combine.cli.remote.client import API, Client, Page
from combine.cli.remote.inspection import execution_path
from combine.documents.statuses import DecisionAction, DocumentStatus, GroupBy
from combine.errors import NotFound
from combine.services.commands import ForkExecution, StartExecution
from combine.services.views import (
    CostReport,
    DocumentChanges,
    DocumentDetail,
    DocumentExport,
    DocumentView,
    EstimateView,
    ExecutionDetail,
    ProjectView,
)
from combine.storage.core.id_prefix import uuid_range

_MAX_LISTED: Final = 200  # the default limit of the service
_ID_OR_TYPE: Final = re.compile("[A-Za-z0-9][A-Za-z0-9-]{3,79}")


@dataclass(frozen=True, slots=True)
class RemoteDocuments:
    client: Client

    async def list(
        self, project: str | None = None, document_type: str | None = None, status: DocumentStatus | None = None
    ) -> tuple[DocumentView, ...]:
        query = {"project": project, "type": document_type, "status": status}
        return await self.client.get_list(DocumentView, f"{API}/documents", query, limit=_MAX_LISTED)

    async def get(self, wanted: str, project: str | None = None, version: int | None = None) -> DocumentDetail:
        return await self.client.get(DocumentDetail, _document_path(wanted), {"project": project, "version": version})

    async def diff(
        self, wanted: str, project: str | None = None, old: int | None = None, new: int | None = None
    ) -> DocumentChanges:
        query = {"project": project, "old": old, "new": new}
        return await self.client.get(DocumentChanges, f"{_document_path(wanted)}/diff", query)

    async def export(self, wanted: str, project: str | None = None, version: int | None = None) -> DocumentExport:
        """Looked up first and then exported by id, since another version could become current in between."""
        found = (await self.get(wanted, project, version)).document
        json_text, markdown = await asyncio.gather(self._text(found, "json"), self._text(found, "md"))
        return DocumentExport(found, json_text, markdown)

    async def _text(self, document: DocumentView, form: str) -> str:
        path = f"{API}/documents/{document.id}/export"
        return (await self.client.send("GET", path, params={"format": form})).content.decode()


def _document_path(wanted: str) -> str:
    if not _ID_OR_TYPE.fullmatch(wanted):
        raise NotFound(
            f"There is no document {wanted!r}.",
            code="document_not_found",
            hint="`combine docs list` shows all documents.",
        )
    return f"{API}/documents/{wanted}"


@dataclass(frozen=True, slots=True)
class RemoteExecutions:
    client: Client

    async def start(self, command: StartExecution) -> UUID:
        """Sent with an idempotency key, so that a lost response never starts an execution twice."""
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
        return await self._do(execution, "answers", {"answers": dict(given), "decide_rest": decide_rest})

    async def accept(self, execution: str, step_id: str | None = None) -> UUID:
        return await self._do(execution, "accept", {"step_id": step_id})

    async def reject(self, execution: str, reason: str, step_id: str | None = None) -> UUID:
        return await self._do(execution, "reject", {"reason": reason, "step_id": step_id})

    async def decide(self, execution: str, action: DecisionAction, guidance: str | None = None) -> UUID:
        return await self._do(execution, "decide", {"action": action.value, "guidance": guidance})

    async def cancel(self, execution: str) -> UUID:
        return await self._do(execution, "cancel", {})

    async def resume(self, execution: str, budget_usd: Decimal | None = None, *, allow_unpriced: bool = False) -> UUID:
        return await self._do(execution, "resume", {"budget_usd": _money(budget_usd), "allow_unpriced": allow_unpriced})

    async def fork(self, execution: str, command: ForkExecution) -> UUID:
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


@dataclass(frozen=True, slots=True)
class RemoteCosts:
    client: Client

    async def report(self, by: GroupBy, project: str | None = None, since: datetime | None = None) -> CostReport:
        """The server takes only the date of ``since``."""
        day = None if since is None else since.date().isoformat()
        query = {"group_by": by.value, "project": project, "since": day}
        return await self.client.get(CostReport, f"{API}/costs", query)


@dataclass(frozen=True, slots=True)
class RemoteEstimates:
    client: Client

    async def estimate(self, brief: Brief, workflow_id: str, model: str) -> EstimateView:
        body = {"workflow_id": workflow_id, "brief": brief.text, "model": model or None}
        return await self.client.post(EstimateView, f"{API}/estimates", body, retry=True)


@dataclass(frozen=True, slots=True)
class RemoteProjects:
    client: Client

    async def list(self) -> tuple[ProjectView, ...]:
        return await self.client.get_list(ProjectView, f"{API}/projects")

    async def set_budget(self, project: str, budget_usd: Decimal | None) -> ProjectView:
        """Raises NotFound."""
        found = await self.client.get(Page[ProjectView], f"{API}/projects", {"name": project})
        if not found.items:
            raise NotFound(
                f"There is no project {project!r}.",
                code="project_not_found",
                hint="`combine projects list` shows them.",
            )
        path = f"{API}/projects/{found.items[0].id}"
        return await self.client.patch(ProjectView, path, {"budget_usd": _money(budget_usd)})


@dataclass(frozen=True, slots=True)
class RemoteSettling:
    client: Client

    async def settle(self, execution: str, call: str, usd: Decimal) -> UUID:
        """Raises the same errors as a lookup in the database."""
        path = execution_path(execution)
        if uuid_range(call) is None:
            hint = "`combine show` names the calls of an execution."
            raise NotFound(f"There is no call {call} in this execution.", code="call_not_found", hint=hint)
        body = {"usd": format(usd, "f")}
        detail = await self.client.post(ExecutionDetail, f"{path}/calls/{call.strip()}/settle", body, retry=True)
        return detail.execution.id

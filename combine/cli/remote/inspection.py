"""Reads executions on a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from combine.cli.ports import Say
from combine.cli.remote.client import API, Client
from combine.cli.remote.following import Following
from combine.documents.statuses import ExecutionStatus
from combine.errors import NotFound
from combine.records import Event
from combine.services.views import ExecutionDetail, ExecutionView
from combine.storage.core.id_prefix import uuid_range


@dataclass(frozen=True, slots=True)
class RemoteInspection:
    client: Client
    say: Say

    async def list(
        self, project: str | None = None, status: ExecutionStatus | None = None, limit: int = 50
    ) -> tuple[ExecutionView, ...]:
        query = {"project": project, "status": status}
        return await self.client.get_list(ExecutionView, f"{API}/executions", query, limit=limit)

    async def detail(self, execution: str) -> ExecutionDetail:
        return await self.client.get(ExecutionDetail, execution_path(execution))

    async def executors(self) -> None:
        """A server does not list its workers; ``follow`` warns if none of them starts the execution."""

    def follow(self, execution_id: UUID, after_seq: int = 0) -> AsyncIterator[Event]:

        async def look() -> ExecutionDetail:
            return await self.detail(str(execution_id))

        return Following(self.client, execution_id, look, self.say).events(after_seq)


def execution_path(execution: str) -> str:
    """The path of an execution, by the prefix of its id. Raises the same errors as a lookup in the database."""
    found = uuid_range(execution)
    if found is None:
        raise NotFound(
            f"There is no execution {execution}.", code="execution_not_found", hint="`combine list` shows them."
        )
    return f"{API}/executions/{execution.strip()}"

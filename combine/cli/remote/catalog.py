"""Workflows of a server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import quote

from combine.cli.remote.client import API, Client
from combine.services.definitions import WorkflowDetail, WorkflowView


@dataclass(frozen=True, slots=True)
class RemoteWorkflows:
    """See the port."""

    client: Client

    async def list(self) -> tuple[WorkflowDetail, ...]:
        """See the port."""
        found = await self.client.page(WorkflowView, f"{API}/workflows")
        return tuple(await asyncio.gather(*(self.get(one.workflow_id) for one in found)))

    async def get(self, workflow_id: str) -> WorkflowDetail:
        """See the port."""
        return await self.client.get(WorkflowDetail, f"{API}/workflows/{quote(workflow_id, safe='')}")

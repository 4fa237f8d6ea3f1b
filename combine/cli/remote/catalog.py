"""Workflows of a server."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Final

from combine.cli.remote.client import API, Client
from combine.errors import NotFound
from combine.services.definitions import WorkflowDetail, WorkflowView

_NAME: Final = re.compile("[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class RemoteWorkflows:
    """See the port."""

    client: Client

    async def list(self) -> tuple[WorkflowDetail, ...]:
        """See the port."""
        found = await self.client.page(WorkflowView, f"{API}/workflows")
        return tuple(await asyncio.gather(*(self.get(one.workflow_id) for one in found)))

    async def get(self, workflow_id: str) -> WorkflowDetail:
        """See the port. Raises NotFound."""
        if not _NAME.fullmatch(workflow_id):  # what stands in a path as itself
            known = ", ".join(one.workflow_id for one in await self.client.page(WorkflowView, f"{API}/workflows"))
            raise NotFound(f"There is no workflow {workflow_id!r}.", code="workflow_not_found", hint=f"Known: {known}.")
        return await self.client.get(WorkflowDetail, f"{API}/workflows/{workflow_id}")

"""The workflow catalog of a server."""

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
    client: Client

    async def list(self) -> tuple[WorkflowDetail, ...]:
        found = await self.client.get_list(WorkflowView, f"{API}/workflows")
        return tuple(await asyncio.gather(*(self.get(one.workflow_id) for one in found)))

    async def get(self, workflow_id: str) -> WorkflowDetail:
        """Raises NotFound."""
        if not _NAME.fullmatch(workflow_id):  # else it would change the path
            known = ", ".join(one.workflow_id for one in await self.client.get_list(WorkflowView, f"{API}/workflows"))
            raise NotFound(f"There is no workflow {workflow_id!r}.", code="workflow_not_found", hint=f"Known: {known}.")
        return await self.client.get(WorkflowDetail, f"{API}/workflows/{workflow_id}")

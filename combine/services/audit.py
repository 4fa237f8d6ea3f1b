"""The audit log: one row is written in the transaction of each change, and owners and admins can read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from combine.auth.permissions import Actor, ProjectRole, Scope
from combine.services.access import Access
from combine.services.people_views import AuditView
from combine.services.views import view
from combine.storage.core.database import Database, WriteSession
from combine.storage.people.audit import Audit


async def record_audit(
    session: WriteSession,
    actor: Actor,
    action: str,
    *,
    project_id: UUID | None = None,
    object_: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Record who did ``action`` (a name from ``docs/reference/audit.md``) to which object. No secrets in ``data``."""
    await Audit(session).add(
        action,
        user_id=actor.user_id,
        token_id=actor.token_id,
        project_id=project_id,
        object_=object_,
        data=data,
    )


class AuditService:
    """Who changed what, for project owners and admins."""

    def __init__(self, database: Database, *, actor: Actor) -> None:
        self._database = database
        self._actor = actor
        self._access = Access(actor)

    async def list(
        self, *, project_id: UUID | None = None, before: int | None = None, limit: int = 50
    ) -> tuple[AuditView, ...]:
        """Entries, newest first: of one project for its owners, of everything for admins of the installation.

        ``before``: the id of the last entry of the previous page. Raises NotFound, NotPermitted.
        """
        if project_id is None:
            self._actor.need_instance_admin()
        async with self._database.read() as session:
            if project_id is not None:
                await self._access.need(session, project_id, ProjectRole.OWNER, Scope.ADMIN)
            rows = await Audit(session).list(project_id=project_id, before=before, limit=limit)
        return tuple(view(AuditView, row) for row in rows)

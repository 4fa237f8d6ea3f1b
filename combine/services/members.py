"""Project members and their roles."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from combine.auth.permissions import Actor, ProjectRole, Scope
from combine.errors import Conflict
from combine.services.access import Access
from combine.services.audit import record_audit
from combine.services.people_views import MemberView
from combine.services.views import view
from combine.storage.core.database import Database, WriteSession
from combine.storage.people.members import MemberRow, Members


class MemberService:
    """Members see the other members, owners change them, everyone may leave."""

    def __init__(self, database: Database, *, actor: Actor) -> None:
        self._database = database
        self._actor = actor
        self._access = Access(actor)

    async def list(
        self, project_id: UUID, *, after: tuple[datetime, UUID] | None = None, limit: int = 50
    ) -> tuple[MemberView, ...]:
        """Members, oldest first. ``after``: ``created_at`` and ``user_id`` of the last one of the previous page.

        Raises NotFound.
        """
        async with self._database.read() as session:
            await self._access.need(session, project_id, ProjectRole.VIEWER, Scope.READ)
            return tuple(_view(row) for row in await Members(session).list(project_id, after=after, limit=limit))

    async def set_role(self, project_id: UUID, user_id: UUID, role: ProjectRole) -> MemberView:
        """Give a member another role. Raises NotFound, NotPermitted, Conflict for the last owner."""

        async def work(session: WriteSession) -> MemberRow:
            members = Members(session)
            await members.lock_project(project_id)
            await self._access.need(session, project_id, ProjectRole.OWNER, Scope.ADMIN)
            row = await members.get(project_id, user_id)
            if row.role == role:
                return row
            await _must_not_be_last_owner(session, row)
            await members.set_role(project_id, user_id, role)
            said = {"from": row.role, "to": role.value}
            await record_audit(
                session, self._actor, "member.role_set", project_id=project_id, object_=str(user_id), data=said
            )
            return await members.get(project_id, user_id)

        return _view(await self._database.transact(work))

    async def remove(self, project_id: UUID, user_id: UUID) -> None:
        """Remove a member, or leave. Raises NotFound, NotPermitted, Conflict for the last owner."""
        needed = ProjectRole.VIEWER if user_id == self._actor.user_id else ProjectRole.OWNER

        async def work(session: WriteSession) -> None:
            members = Members(session)
            await members.lock_project(project_id)
            await self._access.need(session, project_id, needed, Scope.ADMIN)
            row = await members.get(project_id, user_id)
            await _must_not_be_last_owner(session, row)
            await members.remove(project_id, user_id)
            said = {"role": row.role}
            await record_audit(
                session, self._actor, "member.removed", project_id=project_id, object_=str(user_id), data=said
            )

        await self._database.transact(work)


async def _must_not_be_last_owner(session: WriteSession, row: MemberRow) -> None:
    """Call it with the project locked, so that of two owners who leave at once one stays."""
    if row.role == ProjectRole.OWNER and not await Members(session).has_other_owner(row.project_id, row.user_id):
        raise Conflict(
            "A project needs an owner who can sign in, and this is the last one.",
            code="last_owner",
            hint="Make another member an owner first.",
        )


def _view(row: MemberRow) -> MemberView:
    return view(MemberView, row, role=ProjectRole(row.role), disabled=row.disabled_at is not None)

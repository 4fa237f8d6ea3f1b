"""Invitations to projects, by e-mail address."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.errors import NotFound
from combine.storage.core.database import ReadSession
from combine.storage.core.rows import build, build_all
from combine.storage.core.tables import invitations, projects


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """One invitation."""

    id: UUID
    project_id: UUID
    project: str
    email: str
    role: str
    invited_by: UUID | None
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None
    expired: bool


_FIELDS = [invitations.c[name] for name in InvitationRow.__slots__ if name not in {"project", "expired"}]
_OPEN = invitations.c.accepted_at.is_(None) & invitations.c.revoked_at.is_(None)


def _select() -> sa.Select[Any]:
    expired = invitations.c.expires_at <= sa.func.clock_timestamp()
    query = sa.select(*_FIELDS, projects.c.name.label("project"), expired.label("expired"))
    return query.join_from(invitations, projects, projects.c.id == invitations.c.project_id)


class Invitations:
    """Every query about invitations."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def insert(
        self, id_: UUID, project_id: UUID, email: str, role: str, *, invited_by: UUID | None, lifetime: timedelta
    ) -> InvitationRow:
        """Store one, replacing open ones for the same address. Idempotent."""
        now = sa.func.clock_timestamp()
        same = (invitations.c.project_id == project_id) & (invitations.c.email == email) & (invitations.c.id != id_)
        await self._connection.execute(sa.update(invitations).where(same, _OPEN).values(revoked_at=now))
        values = {"id": id_, "project_id": project_id, "email": email, "role": role, "invited_by": invited_by}
        made = insert(invitations).values(**values, expires_at=now + lifetime).on_conflict_do_nothing()
        await self._connection.execute(made)
        return await self.get(id_)

    async def get(self, invitation_id: UUID, *, project_id: UUID | None = None) -> InvitationRow:
        """One invitation, in that project if given. Raises NotFound."""
        query = _select().where(invitations.c.id == invitation_id)
        if project_id is not None:
            query = query.where(invitations.c.project_id == project_id)
        row = (await self._connection.execute(query)).first()
        if row is None:
            raise invitation_not_found(invitation_id)
        return build(InvitationRow, row)

    async def lock(self, invitation_id: UUID) -> InvitationRow:
        """The current row, locked until the transaction ends. Raises NotFound."""
        query = _select().where(invitations.c.id == invitation_id).with_for_update(of=invitations)
        row = (await self._connection.execute(query)).first()
        if row is None:
            raise invitation_not_found(invitation_id)
        return build(InvitationRow, row)

    async def list(
        self, project_id: UUID, *, before: tuple[datetime, UUID] | None = None, limit: int = 50
    ) -> tuple[InvitationRow, ...]:
        """Invitations of a project, newest first. ``before``: ``created_at`` and ``id`` of the last one seen."""
        query = _select().where(invitations.c.project_id == project_id)
        if before is not None:
            place = sa.tuple_(invitations.c.created_at, invitations.c.id)
            query = query.where(place < sa.tuple_(*map(sa.literal, before)))
        query = query.order_by(invitations.c.created_at.desc(), invitations.c.id.desc()).limit(limit)
        return build_all(InvitationRow, await self._connection.execute(query))

    async def open_for(self, emails: Collection[str]) -> tuple[InvitationRow, ...]:
        """Open invitations for these addresses, newest first."""
        good = _OPEN & (invitations.c.expires_at > sa.func.clock_timestamp())
        query = _select().where(invitations.c.email.in_(emails), good)
        query = query.order_by(invitations.c.created_at.desc(), invitations.c.id.desc())
        return build_all(InvitationRow, await self._connection.execute(query))

    async def accept(self, invitation_id: UUID, user_id: UUID) -> None:
        """Record who accepted it."""
        now = sa.func.clock_timestamp()
        mine = sa.update(invitations).where(invitations.c.id == invitation_id)
        await self._connection.execute(mine.values(accepted_at=now, accepted_by=user_id))

    async def revoke(self, invitation_id: UUID) -> None:
        """Close it, so that it can no longer be accepted."""
        mine = sa.update(invitations).where(invitations.c.id == invitation_id)
        await self._connection.execute(mine.values(revoked_at=sa.func.clock_timestamp()))


def invitation_not_found(invitation_id: UUID) -> NotFound:
    """The same error for one that does not exist and for one of another user."""
    return NotFound(f"There is no invitation {invitation_id}.", code="invitation_not_found")

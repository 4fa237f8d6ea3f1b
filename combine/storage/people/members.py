"""Project members and their roles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.errors import NotFound
from combine.storage.core.database import ReadSession
from combine.storage.core.rows import build, build_all
from combine.storage.core.tables import project_members, projects, users

OWNER = "owner"


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One user in one project."""

    project_id: UUID
    user_id: UUID
    role: str
    created_at: datetime
    name: str
    email: str | None
    disabled_at: datetime | None


class Members:
    """Every query about members."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def role(self, project_id: UUID, user_id: UUID) -> str | None:
        """The user's role in the project; None: not a member."""
        query = sa.select(project_members.c.role).where(
            project_members.c.project_id == project_id, project_members.c.user_id == user_id
        )
        return (await self._connection.execute(query)).scalar_one_or_none()

    async def roles(self, user_id: UUID) -> dict[UUID, str]:
        """The user's role in each of their projects."""
        query = sa.select(project_members.c.project_id, project_members.c.role)
        rows = await self._connection.execute(query.where(project_members.c.user_id == user_id))
        return {row.project_id: row.role for row in rows}

    async def set_role(self, project_id: UUID, user_id: UUID, role: str) -> None:
        """Make the user a member with this role, or change the role."""
        made = insert(project_members).values(project_id=project_id, user_id=user_id, role=role)
        changed = made.on_conflict_do_update(index_elements=["project_id", "user_id"], set_={"role": role})
        await self._connection.execute(changed)

    async def lock_project(self, project_id: UUID) -> None:
        """Lock the project's members and roles until the transaction ends."""
        row = sa.select(projects.c.id).where(projects.c.id == project_id).with_for_update(key_share=True)
        await self._connection.execute(row)

    async def get(self, project_id: UUID, user_id: UUID) -> MemberRow:
        """Raises NotFound."""
        query = _select().where(project_members.c.project_id == project_id, project_members.c.user_id == user_id)
        row = (await self._connection.execute(query)).first()
        if row is None:
            raise NotFound(f"User {user_id} is not a member of this project.", code="member_not_found")
        return build(MemberRow, row)

    async def list(
        self, project_id: UUID, *, after: tuple[datetime, UUID] | None = None, limit: int = 50
    ) -> tuple[MemberRow, ...]:
        """Members of a project, oldest first. ``after``: ``created_at`` and ``user_id`` of the last one seen."""
        place = sa.tuple_(project_members.c.created_at, project_members.c.user_id)
        query = _select().where(project_members.c.project_id == project_id)
        if after is not None:
            query = query.where(place > sa.tuple_(*map(sa.literal, after)))
        query = query.order_by(project_members.c.created_at, project_members.c.user_id).limit(limit)
        return build_all(MemberRow, await self._connection.execute(query))

    async def has_other_owner(self, project_id: UUID, user_id: UUID) -> bool:
        """Whether the project has another owner who can sign in."""
        query = _select().where(
            project_members.c.project_id == project_id,
            project_members.c.role == OWNER,
            project_members.c.user_id != user_id,
            users.c.disabled_at.is_(None),
        )
        return (await self._connection.execute(query.limit(1))).first() is not None

    async def remove(self, project_id: UUID, user_id: UUID) -> None:
        """Remove the member."""
        mine = (project_members.c.project_id == project_id) & (project_members.c.user_id == user_id)
        await self._connection.execute(sa.delete(project_members).where(mine))


def _select() -> sa.Select[Any]:
    query = sa.select(*project_members.c, users.c.name, users.c.email, users.c.disabled_at)
    return query.join_from(project_members, users, users.c.id == project_members.c.user_id)

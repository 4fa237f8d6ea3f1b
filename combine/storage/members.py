"""Who is what in which project."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.storage.database import ReadSession
from combine.storage.tables import project_members


class Members:
    """Every query about members."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def role(self, project_id: UUID, user_id: UUID) -> str | None:
        """What the user is in the project; None: no member."""
        query = sa.select(project_members.c.role).where(
            project_members.c.project_id == project_id, project_members.c.user_id == user_id
        )
        return (await self._connection.execute(query)).scalar_one_or_none()

    async def roles(self, user_id: UUID) -> dict[UUID, str]:
        """What the user is in each project they are a member of."""
        query = sa.select(project_members.c.project_id, project_members.c.role)
        rows = await self._connection.execute(query.where(project_members.c.user_id == user_id))
        return {row.project_id: row.role for row in rows}

    async def set_role(self, project_id: UUID, user_id: UUID, role: str) -> None:
        """Make the user a member with this role, or change the role."""
        made = insert(project_members).values(project_id=project_id, user_id=user_id, role=role)
        changed = made.on_conflict_do_update(index_elements=["project_id", "user_id"], set_={"role": role})
        await self._connection.execute(changed)

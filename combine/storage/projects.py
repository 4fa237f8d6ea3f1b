"""Projects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.errors import NotFound
from combine.storage.database import ReadSession
from combine.storage.rows import build, build_all, columns
from combine.storage.tables import projects


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """What documents belong to."""

    id: UUID
    name: str
    created_at: datetime


_SELECT = sa.select(*columns(projects, ProjectRow))


class Projects:
    """Every query about projects."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def get_or_create(self, name: str) -> ProjectRow:
        """The project of that name, made if there is none."""
        made = insert(projects).values(id=uuid4(), name=name).on_conflict_do_nothing(index_elements=["name"])
        row = (await self._connection.execute(made.returning(*columns(projects, ProjectRow)))).first()
        return build(ProjectRow, row) if row is not None else await self.by_name(name)

    async def get(self, project_id: UUID) -> ProjectRow:
        """Raises NotFound."""
        row = (await self._connection.execute(_SELECT.where(projects.c.id == project_id))).first()
        if row is None:
            raise NotFound(f"There is no project {project_id}.", code="project_not_found")
        return build(ProjectRow, row)

    async def by_name(self, name: str) -> ProjectRow:
        """Raises NotFound."""
        row = (await self._connection.execute(_SELECT.where(projects.c.name == name))).first()
        if row is None:
            raise NotFound(
                f"There is no project {name!r}.", code="project_not_found", hint="`combine list` shows what there is."
            )
        return build(ProjectRow, row)

    async def list(self) -> tuple[ProjectRow, ...]:
        """All projects by name."""
        return build_all(ProjectRow, await self._connection.execute(_SELECT.order_by(projects.c.name)))

"""Projects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.errors import NotFound
from combine.storage.database import ReadSession
from combine.storage.rows import build, build_all, columns
from combine.storage.tables import documents, executions, projects
from combine.workflows.brief_json import BRIEF_TYPE


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """What documents belong to."""

    id: UUID
    name: str
    budget_usd: Decimal | None
    """What all its executions together may cost; None: there is no cap."""
    reserved_usd: Decimal
    spent_usd: Decimal
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ProjectSums:
    """A project and how much there is in it."""

    project: ProjectRow
    documents: int
    """Document types with a version, the brief not counted."""
    executions: int


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
                f"There is no project {name!r}.", code="project_not_found", hint="`combine projects list` shows them."
            )
        return build(ProjectRow, row)

    async def budget(self, name: str) -> Decimal | None:
        """The cap of the project of that name; None, too, if there is none yet."""
        query = sa.select(projects.c.budget_usd).where(projects.c.name == name)
        return (await self._connection.execute(query)).scalar_one_or_none()

    async def list(self) -> tuple[ProjectRow, ...]:
        """All projects by name."""
        return build_all(ProjectRow, await self._connection.execute(_SELECT.order_by(projects.c.name)))

    async def sums(self) -> tuple[ProjectSums, ...]:
        """All projects by name, with what there is in them."""
        made = sa.select(sa.func.count(sa.distinct(documents.c.type)))
        made = made.where(documents.c.project_id == projects.c.id, documents.c.type != BRIEF_TYPE)
        run = sa.select(sa.func.count()).where(executions.c.project_id == projects.c.id)
        query = sa.select(*columns(projects, ProjectRow), made.scalar_subquery(), run.scalar_subquery())
        rows = await self._connection.execute(query.order_by(projects.c.name))
        return tuple(ProjectSums(ProjectRow(*row[:-2]), *row[-2:]) for row in rows)

    async def set_budget(self, name: str, budget_usd: Decimal | None) -> ProjectRow:
        """The project with its cap from now on; None: no cap. Raises NotFound."""
        changed = sa.update(projects).where(projects.c.name == name).values(budget_usd=budget_usd)
        row = (await self._connection.execute(changed.returning(*columns(projects, ProjectRow)))).first()
        return await self.by_name(name) if row is None else build(ProjectRow, row)

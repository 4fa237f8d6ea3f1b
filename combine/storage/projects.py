"""Projects."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.brief.brief import BRIEF_TYPE
from combine.errors import NotFound
from combine.storage.core.database import ReadSession
from combine.storage.core.rows import build, build_all, columns
from combine.storage.core.tables import documents, executions, projects
from combine.storage.core.visibility import Visibility


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """One project, which documents belong to."""

    id: UUID
    name: str
    budget_usd: Decimal | None
    """Cap on the total cost of its executions; None: no cap."""
    reserved_usd: Decimal
    spent_usd: Decimal
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ProjectSums(ProjectRow):
    """A project with counts of its contents."""

    documents: int
    """Document types with a version, not counting the brief."""
    executions: int


_SELECT = sa.select(*columns(projects, ProjectRow))


class Projects:
    """Every query about projects."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def get(self, project_id: UUID) -> ProjectRow:
        """Raises NotFound."""
        row = (await self._connection.execute(_SELECT.where(projects.c.id == project_id))).first()
        if row is None:
            raise NotFound(f"There is no project {project_id}.", code="project_not_found")
        return build(ProjectRow, row)

    async def by_name(self, name: str, visibility: Visibility) -> ProjectRow:
        """The visible project with this name. Raises NotFound."""
        found = await self.find(name, visibility)
        if found is None:
            raise NotFound(
                f"There is no project {name!r}.", code="project_not_found", hint="`combine projects list` shows them."
            )
        return found

    async def find(self, name: str, visibility: Visibility) -> ProjectRow | None:
        """The visible project with this name, or None."""
        query = _SELECT.where(projects.c.name == name, visibility.of(projects.c.id))
        row = (await self._connection.execute(query)).first()
        return None if row is None else build(ProjectRow, row)

    async def seen(self, project_id: UUID, visibility: Visibility) -> ProjectRow:
        """The visible project with this id. Raises NotFound."""
        query = _SELECT.where(projects.c.id == project_id, visibility.of(projects.c.id))
        row = (await self._connection.execute(query)).first()
        if row is None:
            raise NotFound(f"There is no project {project_id}.", code="project_not_found")
        return build(ProjectRow, row)

    async def names(self, project_ids: Collection[UUID]) -> dict[UUID, str]:
        """Id -> name of the existing ones."""
        query = sa.select(projects.c.id, projects.c.name).where(projects.c.id.in_(project_ids))
        return {row.id: row.name for row in await self._connection.execute(query)} if project_ids else {}

    async def insert(self, project_id: UUID, name: str) -> bool:
        """Create one. Idempotent. False: the name is taken."""
        made = insert(projects).values(id=project_id, name=name).on_conflict_do_nothing()
        await self._connection.execute(made)
        query = sa.select(sa.true()).where(projects.c.id == project_id)
        return (await self._connection.execute(query)).first() is not None

    async def sums(
        self, visibility: Visibility, *, project_id: UUID | None = None, after: str | None = None, limit: int = 1000
    ) -> tuple[ProjectSums, ...]:
        """Visible projects by name, with counts of their contents.

        ``after``: the name of the last one of the previous page.
        """
        made = sa.select(sa.func.count(sa.distinct(documents.c.type)))
        made = made.where(documents.c.project_id == projects.c.id, documents.c.type != BRIEF_TYPE)
        run = sa.select(sa.func.count()).where(executions.c.project_id == projects.c.id)
        counts = made.label("documents"), run.label("executions")
        query: sa.Select[Any] = sa.select(*columns(projects, ProjectRow), *counts).where(visibility.of(projects.c.id))
        if project_id is not None:
            query = query.where(projects.c.id == project_id)
        if after is not None:
            query = query.where(projects.c.name > after)
        rows = await self._connection.execute(query.order_by(projects.c.name).limit(limit))
        return build_all(ProjectSums, rows)

    async def set_budget(self, project_id: UUID, budget_usd: Decimal | None) -> None:
        """Set its cap; None: no cap."""
        changed = sa.update(projects).where(projects.c.id == project_id).values(budget_usd=budget_usd)
        await self._connection.execute(changed)

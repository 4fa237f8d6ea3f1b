"""Projects: what is in them and what they may cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from combine.errors import Invalid
from combine.storage.database import Database, WriteSession
from combine.storage.projects import Projects


@dataclass(frozen=True, slots=True)
class ProjectView:
    """One project."""

    name: str
    documents: int
    """Document types with a version, the brief not counted."""
    executions: int
    budget_usd: Decimal | None
    """What all its executions together may cost; None: there is no cap."""
    spent_usd: Decimal
    """Of the calls with a known price."""
    reserved_usd: Decimal
    """Set aside for calls in flight and calls whose outcome is unknown."""


class ProjectService:
    """Lists projects and caps them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> tuple[ProjectView, ...]:
        """All projects by name."""
        async with self._database.read() as session:
            return tuple(
                ProjectView(
                    name=one.project.name,
                    documents=one.documents,
                    executions=one.executions,
                    budget_usd=one.project.budget_usd,
                    spent_usd=one.project.spent_usd,
                    reserved_usd=one.project.reserved_usd,
                )
                for one in await Projects(session).sums()
            )

    async def set_budget(self, name: str, budget_usd: Decimal | None) -> ProjectView:
        """Cap a project from the next call on; None takes the cap away. Raises NotFound, Invalid.

        What has stopped at the old cap stays stopped until it is resumed.
        """
        if budget_usd is not None and budget_usd <= 0:
            raise Invalid("A budget is an amount above 0 USD.", code="budget_invalid")

        async def work(session: WriteSession) -> None:
            await Projects(session).set_budget(name, budget_usd)

        await self._database.transact(work)
        return next(one for one in await self.list() if one.name == name)

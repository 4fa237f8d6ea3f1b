"""Spending caps of an execution, a project and a day. The journal's statement makes the reservations."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from combine.storage.core.database import ReadSession
from combine.storage.core.statements import Statement


class CapKind(StrEnum):
    """What a cap applies to."""

    EXECUTION = "execution"
    PROJECT = "project"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Cap:
    """The current state of one cap."""

    kind: CapKind
    project: str
    budget_usd: Decimal | None
    """None: no cap."""
    spent_usd: Decimal
    reserved_usd: Decimal
    allow_unpriced: bool
    """Whether the execution allows calls of unknown price, which do not count towards a cap."""

    def refuses(self, worst_usd: Decimal | None) -> bool:
        """Whether the cap stops a call; ``worst_usd`` is None if its price is unknown."""
        if self.budget_usd is None:
            return False
        if worst_usd is None:
            return not self.allow_unpriced
        if worst_usd == 0 and self.kind is not CapKind.EXECUTION:
            return False
        return self.spent_usd + self.reserved_usd + worst_usd > self.budget_usd


_CAPS = Statement("""
SELECT e.allow_unpriced, p.name,
  e.budget_usd, e.spent_usd, e.reserved_usd,
  p.budget_usd AS project_budget_usd, p.spent_usd AS project_spent_usd, p.reserved_usd AS project_reserved_usd,
  coalesce(d.spent_usd, 0) AS day_spent_usd, coalesce(d.reserved_usd, 0) AS day_reserved_usd
FROM executions e JOIN projects p ON p.id = e.project_id
LEFT JOIN daily_spending d ON d.day = cast(statement_timestamp() AT TIME ZONE 'UTC' AS date)
WHERE e.id = :execution_id
""")


class Caps:
    """Reads the caps."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def of(self, execution_id: UUID, daily_budget_usd: Decimal | None) -> tuple[Cap, ...]:
        """The three caps that apply to an execution, in the order in which they are checked."""
        row = await _CAPS.one(self._connection, execution_id=execution_id)
        given = row.allow_unpriced
        return (
            Cap(CapKind.EXECUTION, row.name, row.budget_usd, row.spent_usd, row.reserved_usd, given),
            Cap(
                CapKind.PROJECT,
                row.name,
                row.project_budget_usd,
                row.project_spent_usd,
                row.project_reserved_usd,
                given,
            ),
            Cap(CapKind.DAY, row.name, daily_budget_usd, row.day_spent_usd, row.day_reserved_usd, given),
        )

"""People's decisions about steps and executions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from combine.documents.statuses import DecisionAction
from combine.storage.core.database import ReadSession
from combine.storage.core.rows import build_all, columns
from combine.storage.core.tables import decisions


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision."""

    id: int
    execution_id: UUID
    step_id: str | None
    action: str
    reason: str | None
    document_id: UUID | None
    created_at: datetime


class Decisions:
    """Every query about decisions."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def insert(
        self,
        execution_id: UUID,
        action: DecisionAction,
        *,
        step_id: str | None = None,
        reason: str | None = None,
        document_id: UUID | None = None,
    ) -> None:
        """Store it. Call it in the transaction that changes the state, after ``Executions.lock``."""
        values = {"action": action, "step_id": step_id, "reason": reason, "document_id": document_id}
        await self._connection.execute(sa.insert(decisions).values(execution_id=execution_id, **values))

    async def list(self, execution_id: UUID) -> tuple[DecisionRow, ...]:
        """All decisions, oldest first."""
        query = sa.select(*columns(decisions, DecisionRow)).where(decisions.c.execution_id == execution_id)
        return build_all(DecisionRow, await self._connection.execute(query.order_by(decisions.c.id)))

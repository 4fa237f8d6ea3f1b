"""People's decisions about steps and executions."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from combine.documents.statuses import DecisionAction
from combine.storage.core.database import WriteSession
from combine.storage.core.tables import decisions


class Decisions:
    """A record for people who ask later who decided what; the program does not read it."""

    def __init__(self, session: WriteSession) -> None:
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

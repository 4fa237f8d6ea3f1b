"""Findings, by attempt."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from combine.documents.findings import Finding
from combine.records import FoundFinding
from combine.storage.core.database import ReadSession
from combine.storage.core.rows import build_all, columns
from combine.storage.core.tables import findings


class Findings:
    """Every query about findings."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def insert_many(
        self, execution_id: UUID, step_id: str, revision: int, attempt: int, found: Sequence[Finding]
    ) -> bool:
        """Store the findings of one attempt, replacing earlier ones; returns whether there were any.

        A segment that takes over reads the same reply again.
        """
        place = {"execution_id": execution_id, "step_id": step_id, "revision": revision, "attempt": attempt}
        before = await self._connection.execute(
            sa.delete(findings).where(*(findings.c[key] == value for key, value in place.items()))
        )
        if found:
            rows = [place | {name: getattr(finding, name) for name in Finding.__slots__} for finding in found]
            await self._connection.execute(sa.insert(findings), rows)
        return before.rowcount > 0

    async def list(self, execution_id: UUID, *, step_id: str | None = None) -> tuple[FoundFinding, ...]:
        """All findings of the execution, oldest first."""
        query = sa.select(*columns(findings, FoundFinding)).where(findings.c.execution_id == execution_id)
        if step_id is not None:
            query = query.where(findings.c.step_id == step_id)
        return build_all(FoundFinding, await self._connection.execute(query.order_by(findings.c.id)))

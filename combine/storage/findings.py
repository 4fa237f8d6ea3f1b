"""Findings, by the attempt they were found in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from combine.documents.findings import Finding, FindingKind, Severity
from combine.storage.core.database import ReadSession
from combine.storage.core.tables import findings


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A finding and where it was found."""

    id: int
    step_id: str
    revision: int
    attempt: int
    created_at: datetime
    finding: Finding


class Findings:
    """Every query about findings."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def insert_many(
        self, execution_id: UUID, step_id: str, revision: int, attempt: int, found: Sequence[Finding]
    ) -> bool:
        """What one attempt's checks have found, in place of what has been stored of it before; whether some had been.

        The same reply is read again by a segment that takes over.
        """
        place = {"execution_id": execution_id, "step_id": step_id, "revision": revision, "attempt": attempt}
        before = await self._connection.execute(
            sa.delete(findings).where(*(findings.c[key] == value for key, value in place.items()))
        )
        if found:
            rows = [place | {name: getattr(finding, name) for name in Finding.__slots__} for finding in found]
            await self._connection.execute(sa.insert(findings), rows)
        return before.rowcount > 0

    async def list(self, execution_id: UUID, *, step_id: str | None = None) -> tuple[FindingRow, ...]:
        """Every finding of the execution, the oldest first."""
        query = sa.select(findings).where(findings.c.execution_id == execution_id)
        if step_id is not None:
            query = query.where(findings.c.step_id == step_id)
        return await self._rows(query)

    async def _rows(self, query: sa.Select[Any]) -> tuple[FindingRow, ...]:
        rows = await self._connection.execute(query.order_by(findings.c.id))
        return tuple(
            FindingRow(row.id, row.step_id, row.revision, row.attempt, row.created_at, _finding(row)) for row in rows
        )


def _finding(row: sa.Row[Any]) -> Finding:
    return Finding(
        kind=FindingKind(row.kind),
        severity=Severity(row.severity),
        code=row.code,
        document=row.document,
        message=row.message,
        item=row.item,
        path=row.path,
        found=row.found,
        expected=row.expected,
    )

"""Findings, by attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from uuid import UUID

import sqlalchemy as sa

from combine.documents.findings import Finding
from combine.records import FoundFinding
from combine.storage.core.database import ReadSession
from combine.storage.core.rows import build_all, columns
from combine.storage.core.statements import Statement, as_json
from combine.storage.core.tables import findings

_COLUMNS = tuple(field.name for field in fields(Finding))
_REPLACE = Statement(f"""
-- before: what has been stored of this attempt
WITH before AS (
  DELETE FROM findings
  WHERE execution_id = :execution_id AND step_id = :step_id AND revision = :revision AND attempt = :attempt
  RETURNING id
),
-- stored: in the order in which they were found
stored AS (
  INSERT INTO findings (execution_id, step_id, revision, attempt, {", ".join(_COLUMNS)})
  SELECT :execution_id, :step_id, :revision, :attempt, {", ".join(f"one ->> '{name}'" for name in _COLUMNS)}
  FROM json_array_elements(:found) WITH ORDINALITY AS given (one, place) ORDER BY place
)
SELECT count(*) AS before FROM before
""")  # noqa: S608 - only names of columns are formatted in


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
        row = await _REPLACE.one(
            self._connection,
            execution_id=execution_id,
            step_id=step_id,
            revision=revision,
            attempt=attempt,
            found=as_json([{name: getattr(finding, name) for name in _COLUMNS} for finding in found]),
        )
        return bool(row.before)

    async def of_step(self, execution_id: UUID, step_id: str) -> tuple[FoundFinding, ...]:
        """All findings of a step, oldest first."""
        query = sa.select(*columns(findings, FoundFinding)).order_by(findings.c.id)
        query = query.where(findings.c.execution_id == execution_id, findings.c.step_id == step_id)
        return build_all(FoundFinding, await self._connection.execute(query))

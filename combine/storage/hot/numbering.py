"""Item numbers in use for one execution: those in its project when it started, and its own since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from combine.storage.core.database import ReadSession
from combine.storage.core.statements import Statement

# ruff: noqa: S608 - only the constants of this module are formatted into statements
_HIGHEST = """
SELECT coalesce(jsonb_agg(jsonb_build_array(type, prefix, number) ORDER BY type, prefix), '[]') FROM (
  SELECT type, split_part(id, '-', 1) AS prefix, max(split_part(id, '-', 2)::int) AS number FROM (
    SELECT d.type, jsonb_path_query(d.content, '$.**.id') #>> '{{}}' AS id FROM documents d
    WHERE {documents} AND d.type <> 'brief'
    UNION ALL
    SELECT '', q.assumption_id FROM questions q WHERE {questions} AND q.assumption_id IS NOT NULL
  ) given
  WHERE id ~ '^[A-Z]+-[0-9]{{1,9}}$' GROUP BY 1, 2
) highest
"""

USED_IN_PROJECT = _HIGHEST.format(
    documents="d.project_id = e.project_id AND d.execution_id IS DISTINCT FROM e.id",
    questions="q.execution_id IN (SELECT o.id FROM executions o WHERE o.project_id = e.project_id AND o.id <> e.id)",
)
"""A query for all that others than ``e`` have ever given in its project: [type, prefix, highest number] each.

Assumptions created from answers have the type ``''``.
"""
USED_BY_EXECUTION = _HIGHEST.format(documents="d.execution_id = e.id", questions="q.execution_id = e.id")
"""The same for what the execution ``e`` has given itself, also in versions that were sent back."""

# One that began under a program which did not keep what it found has the project as it is now.
_USED = Statement(f"""
SELECT coalesce(e.used_before, ({USED_IN_PROJECT})) AS before, ({USED_BY_EXECUTION}) AS since
FROM executions e WHERE e.id = :execution_id
""")


def used_ids(*given: Iterable[Any]) -> Mapping[str, Mapping[str, int]]:
    """Document type -> prefix -> highest number, from the results of this module's queries."""
    used: dict[str, dict[str, int]] = {}
    for found in given:
        for type_, prefix, number in found:
            kinds = used.setdefault(type_, {})
            kinds[prefix] = max(kinds.get(prefix, 0), number)
    return used


class Numbering:
    """Reads only."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def highest(self, execution_id: UUID, prefix: str) -> int:
        """The highest number in use for this prefix, in documents of any type and in answers."""
        row = await _USED.one(self._connection, execution_id=execution_id)
        return max((kinds.get(prefix, 0) for kinds in used_ids(row.before, row.since).values()), default=0)

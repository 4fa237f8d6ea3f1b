"""Reconstructs the project's state for recordings of executions that did not store it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import sqlalchemy as sa

from combine.records import ExecutionSnapshot, NumberTaken
from combine.storage.core.database import ReadSession
from combine.storage.core.rows import build_all
from combine.storage.documents import Documents

_FOUND = sa.text("SELECT previous_ids, used_before FROM executions WHERE id = :execution_id")

_NUMBERS = sa.text("""
WITH given (at, of, type, id) AS (
  SELECT created_at, id, type, jsonb_path_query(content, '$.**.id') #>> '{}' FROM documents
  WHERE project_id = :project_id AND type <> 'brief' AND execution_id IS DISTINCT FROM :execution_id
    AND created_at < :until
  UNION ALL
  SELECT q.answered_at, e.id, '', q.assumption_id FROM questions q JOIN executions e ON e.id = q.execution_id
  WHERE e.project_id = :project_id AND e.id <> :execution_id AND q.assumption_id IS NOT NULL
    AND q.answered_at < :until
)
SELECT at, type, split_part(id, '-', 1) AS prefix, max(split_part(id, '-', 2)::int) AS highest
FROM given WHERE id ~ '^[A-Z]+-[0-9]{1,9}$' GROUP BY at, of, type, 3 ORDER BY at, type, 3
""")

_EARLIER = sa.text("""
SELECT DISTINCT ON (type) id FROM documents
WHERE project_id = :project_id AND type <> 'brief' AND execution_id IS DISTINCT FROM :execution_id
  AND status <> 'draft' AND created_at < :until
ORDER BY type, version DESC
""")


class Recordings:
    """Reads only."""

    def __init__(self, session: ReadSession) -> None:
        self._session = session
        self._connection = session.connection

    async def complete(self, snapshot: ExecutionSnapshot, shown: Collection[tuple[str, int]]) -> ExecutionSnapshot:
        """The snapshot; for an execution of an older version, which did not store the state of its project, with that
        state approximated from timestamps, and with the versions that its prompts have ``shown``, by type and number.
        """
        execution = snapshot.execution
        found = (await self._connection.execute(_FOUND, {"execution_id": execution.id})).one()
        until = max((call.started_at for call in snapshot.calls), default=execution.created_at)
        values = {"project_id": execution.project_id, "execution_id": execution.id}
        if found.used_before is None:
            rows = await self._connection.execute(_NUMBERS, {**values, "until": until})
            snapshot = replace(snapshot, numbers=build_all(NumberTaken, rows.all()))
        if found.previous_ids is None:
            rows = await self._connection.execute(_EARLIER, {**values, "until": execution.created_at})
            earlier = await Documents(self._session).get_many(rows.scalars().all())
            snapshot = replace(snapshot, previous=earlier)
        known = {(one.type, one.version) for one in (*snapshot.previous, *snapshot.documents)}
        more = [await Documents(self._session).version(execution.project_id, *key) for key in sorted({*shown} - known)]
        previous = sorted((*snapshot.previous, *more), key=lambda one: (one.type, one.version))
        return replace(snapshot, previous=tuple(previous))

"""What a recording needs and no other query reads: whole prompts and replies, and the project around an execution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from combine.storage.core.database import ReadSession

_BODIES = sa.text("""
SELECT c.id, p.body AS prompt, r.body AS reply
FROM llm_calls c LEFT JOIN blobs p ON p.sha256 = c.prompt_sha256 LEFT JOIN blobs r ON r.sha256 = c.reply_sha256
WHERE c.execution_id = :execution_id
""")

_FOUND = sa.text("SELECT previous_ids, used_before, created_at FROM executions WHERE id = :execution_id")

# Of executions that began when what they found was not kept yet, the rest is as near as times can come to it.
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


@dataclass(frozen=True, slots=True)
class Numbers:
    """The highest number of one kind of id in one document or answer."""

    at: datetime
    type: str
    prefix: str
    highest: int


class Recordings:
    """Reads only."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def bodies(self, execution_id: UUID) -> Mapping[UUID, tuple[bytes | None, bytes | None]]:
        """Call -> rendered prompt (JSON) and raw reply."""
        rows = await self._connection.execute(_BODIES, {"execution_id": execution_id})
        return {row.id: (_bytes(row.prompt), _bytes(row.reply)) for row in rows}

    async def numbers(self, project_id: UUID, execution_id: UUID, until: datetime) -> tuple[Numbers, ...]:
        """Numbers that others had given in the project before the execution began."""
        values = {"project_id": project_id, "execution_id": execution_id, "until": until}
        found = (await self._connection.execute(_FOUND, values)).one()
        if found.used_before is not None:
            return tuple(Numbers(found.created_at, *one) for one in found.used_before)
        rows = await self._connection.execute(_NUMBERS, values)
        return tuple(Numbers(row.at, row.type, row.prefix, row.highest) for row in rows)

    async def counted(self, project_id: UUID, execution_id: UUID, until: datetime) -> tuple[UUID, ...]:
        """Of each type the version that the execution follows, if there is one."""
        values = {"project_id": project_id, "execution_id": execution_id, "until": until}
        found = (await self._connection.execute(_FOUND, values)).one()
        if found.previous_ids is not None:
            return tuple(found.previous_ids)
        return tuple((await self._connection.execute(_EARLIER, values)).scalars())


def _bytes(body: bytes | memoryview | None) -> bytes | None:
    return None if body is None else bytes(body)

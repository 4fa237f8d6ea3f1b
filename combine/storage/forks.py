"""Copies what a fork takes over from its source execution, inside the database."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from combine.storage.core.database import WriteSession

_STEPS = sa.text("""
UPDATE steps new SET status = 'done', document_id = old.document_id, accepted = old.accepted,
  question_rounds = old.question_rounds, attempt = old.attempt,
  started_at = old.started_at, finished_at = old.finished_at
FROM steps old
WHERE new.execution_id = :new AND old.execution_id = :old AND old.step_id = new.step_id AND new.step_id = ANY(:steps)
""")

# The numbers stay the same, as the documents that are taken over cite them.
_QUESTIONS = sa.text("""
INSERT INTO questions (execution_id, number, step_id, round, text, why, answer_type, choices, default_answer, required,
  answer, decided_by, assumption_id, asked_at, answered_at)
SELECT :new, number, step_id, round, text, why, answer_type, choices, default_answer, required,
  answer, decided_by, assumption_id, asked_at, answered_at
FROM questions WHERE execution_id = :old AND step_id = ANY(:steps)
ON CONFLICT DO NOTHING
""")

# Not the project's current versions: an execution parallel to the source may have assigned the same numbers.
_PREVIOUS = sa.text("""
UPDATE executions new SET previous_ids = CASE WHEN old.status <> 'completed' THEN old.previous_ids ELSE ARRAY(
  SELECT DISTINCT ON (d.type) d.id FROM (
    SELECT s.document_id AS id, 1 AS place FROM steps s WHERE s.execution_id = old.id
    UNION ALL SELECT unnest(old.previous_ids), 2
  ) known JOIN documents d ON d.id = known.id
  ORDER BY d.type, known.place
) END
FROM executions old WHERE new.id = :new AND old.id = :old
""")


class Forks:
    """Statements in the caller's transaction."""

    def __init__(self, session: WriteSession) -> None:
        self._connection = session.connection

    async def take_over(self, old: UUID, new: UUID, step_ids: Sequence[str]) -> None:
        """Mark the steps of ``new`` as done, with the documents and answers that they have in ``old``.

        Its documents follow the versions of ``old`` if that has completed, otherwise those that ``old`` followed.
        """
        values = {"old": old, "new": new, "steps": list(step_ids)}
        await self._connection.execute(_STEPS, values)
        await self._connection.execute(_QUESTIONS, values)
        await self._connection.execute(_PREVIOUS, {"old": old, "new": new})

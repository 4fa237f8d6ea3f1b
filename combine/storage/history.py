"""Token usage of earlier executions of a workflow, for estimates."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from combine.records import Usage
from combine.storage.core.database import ReadSession
from combine.storage.core.visibility import Visibility

NEWEST = 50
"""Number of executions considered; older ones say little about today's prompts."""

_USED = sa.text("""
WITH chosen AS (
  SELECT id FROM executions
  WHERE workflow_id = :workflow_id AND model = :model AND status = 'completed'
    AND (cast(:user_id AS uuid) IS NULL
      OR project_id IN (SELECT project_id FROM project_members WHERE user_id = :user_id))
  ORDER BY created_at DESC LIMIT :newest
), used AS (
  SELECT c.step_id, sum(c.input_tokens) AS input, sum(c.output_tokens) AS output,
    sum(c.cache_read_tokens) AS cache_read, sum(c.cache_write_tokens) AS cache_write
  FROM llm_calls c JOIN chosen ON chosen.id = c.execution_id GROUP BY c.execution_id, c.step_id
)
SELECT step_id, count(*) AS executions,
  cast(percentile_cont(0.5) WITHIN GROUP (ORDER BY input) AS bigint) AS input,
  cast(percentile_cont(0.5) WITHIN GROUP (ORDER BY output) AS bigint) AS output,
  cast(percentile_cont(0.5) WITHIN GROUP (ORDER BY cache_read) AS bigint) AS cache_read,
  cast(percentile_cont(0.5) WITHIN GROUP (ORDER BY cache_write) AS bigint) AS cache_write,
  cast(max(input) AS bigint) AS max_input, cast(max(output) AS bigint) AS max_output,
  cast(max(cache_read) AS bigint) AS max_cache_read, cast(max(cache_write) AS bigint) AS max_cache_write
FROM used GROUP BY step_id
""")


@dataclass(frozen=True, slots=True)
class StepHistory:
    """One step over several executions. Median and maximum are computed for each count separately."""

    step_id: str
    executions: int
    median: Usage
    highest: Usage


class History:
    """Reads the ledger of completed executions."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def steps(self, workflow_id: str, model: str, visibility: Visibility) -> dict[str, StepHistory]:
        """Usage by step id, from the newest visible completed executions of that workflow with that model."""
        given = {"workflow_id": workflow_id, "model": model, "newest": NEWEST}
        given["user_id"] = visibility.user_id
        return {
            row.step_id: StepHistory(
                row.step_id,
                row.executions,
                Usage(row.input, row.output, row.cache_read, row.cache_write),
                Usage(row.max_input, row.max_output, row.max_cache_read, row.max_cache_write),
            )
            for row in await self._connection.execute(_USED, given)
        }

"""Calls of the ledger, written as the journal writes them; and whether every sum is what the calls say."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import sqlalchemy as sa
from stored import ANYBODY

from combine.documents.ordering import content_sha256
from combine.documents.statuses import CallPurpose, CallState
from combine.records import Call, RecordedPrompt
from combine.storage.core.database import Database
from combine.storage.hot.journal import Journal

PROMPT = RecordedPrompt("Be brief.", "A brief.", "Draft.")
INPUT = {"next_ids": {}, "previous": None}
SUMS = """
WITH calls AS (
  SELECT c.execution_id, e.project_id, cast(c.started_at AT TIME ZONE 'UTC' AS date) AS day,
    coalesce(c.cost_usd, 0) AS spent,
    CASE WHEN c.state IN ('intent', 'outcome_unknown') THEN coalesce(c.reserved_usd, 0) ELSE 0 END AS reserved
  FROM llm_calls c JOIN executions e ON e.id = c.execution_id
), kept AS (
  SELECT 'execution' AS kind, id::text AS key, spent_usd, reserved_usd FROM executions
  UNION ALL SELECT 'project', id::text, spent_usd, reserved_usd FROM projects
  UNION ALL SELECT 'day', day::text, spent_usd, reserved_usd FROM daily_spending
), told AS (
  SELECT 'execution' AS kind, execution_id::text AS key, sum(spent) AS spent, sum(reserved) AS reserved
  FROM calls GROUP BY execution_id
  UNION ALL SELECT 'project', project_id::text, sum(spent), sum(reserved) FROM calls GROUP BY project_id
  UNION ALL SELECT 'day', day::text, sum(spent), sum(reserved) FROM calls GROUP BY day
)
SELECT kind, key, spent_usd, spent, reserved_usd, reserved FROM kept FULL JOIN told USING (kind, key)
WHERE coalesce(spent_usd, 0) <> coalesce(spent, 0) OR coalesce(reserved_usd, 0) <> coalesce(reserved, 0)
"""


def a_call(execution_id: UUID | str, **changes) -> Call:
    """One that is about to be sent."""
    given = {"id": uuid4(), "step_id": "discovery", "revision": 0, "attempt": 1, "purpose": CallPurpose.DRAFT}
    given |= {"provider": "scripted", "model": "", "state": CallState.INTENT, "started_at": datetime.now(UTC)}
    given |= {"prompt_sha256": content_sha256(asdict(PROMPT)), "prompt": PROMPT, "input": INPUT}
    return Call(execution_id=UUID(str(execution_id)), **(given | changes))


async def open_call(database: Database, execution_id: UUID | str, usd: str | None, step_id: str = "discovery") -> UUID:
    """An intent that reserves so much; None: its price is unknown."""
    new = a_call(execution_id, step_id=step_id, reserved_usd=None if usd is None else Decimal(usd))
    opened = await database.transact(lambda session: Journal(session).open_call(ANYBODY, new))
    assert opened
    return new.id


async def forget(database: Database, execution_id: UUID | str) -> None:
    """The process of its calls in flight is gone."""
    await database.transact(lambda session: Journal(session).forget_open_calls(UUID(str(execution_id))))


async def unknown_call(
    database: Database, execution_id: UUID | str, usd: str | None = "0.5", step_id: str = "discovery"
) -> UUID:
    """A call whose outcome is unknown."""
    call_id = await open_call(database, execution_id, usd, step_id)
    await forget(database, execution_id)
    return call_id


async def reply(database: Database, execution_id: UUID | str, call_id: UUID, usd: str | None) -> None:
    """The reply comes, perhaps late, and has cost so much."""
    cost_usd = None if usd is None else Decimal(usd)
    result = {"stop_reason": "end_turn", "transport_attempts": 1, "cost_usd": cost_usd, "price_source": "settings"}
    came = a_call(execution_id, id=call_id, state=CallState.REPLIED, **result)
    await database.transact(lambda session: Journal(session).close_call(came))


async def wrong_sums(database: Database) -> list[tuple[object, ...]]:
    """Every sum of an execution, a project or a day that is not what the calls say."""
    async with database.read() as session:
        return [tuple(row) for row in await session.connection.execute(sa.text(SUMS))]

"""Calls of the ledger, written as the journal writes them; and whether every sum is what the calls say."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from uuid import UUID, uuid4

import sqlalchemy as sa

from combine.storage.core.database import Database
from combine.storage.hot.claim import Claim
from combine.storage.hot.journal import CallIntent, CallReply, Journal

PROMPT = json.dumps({"system": "Be brief.", "prefix": "A brief.", "task": "Draft."}).encode()
INPUT = b'{"next_ids": {}, "previous": null}'
NOTHING_USED = {f"{name}_tokens": 0 for name in ("input", "output", "cache_read", "cache_write")}
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


async def open_call(database: Database, execution_id: UUID | str, usd: str | None, step_id: str = "discovery") -> UUID:
    """An intent that reserves so much; None: its price is unknown."""
    new = CallIntent(
        id=uuid4(),
        execution_id=UUID(str(execution_id)),
        step_id=step_id,
        revision=0,
        attempt=1,
        purpose="draft",
        provider="scripted",
        model="",
        prompt_sha256=hashlib.sha256(PROMPT).hexdigest(),
        prompt=PROMPT,
        input_sha256=hashlib.sha256(INPUT).hexdigest(),
        input=INPUT,
        reserved_usd=None if usd is None else Decimal(usd),
    )
    opened = await database.transact(lambda session: Journal(session).open_call(Claim("SELECT 1", {}), new))
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
    came = CallReply(
        id=call_id,
        execution_id=UUID(str(execution_id)),
        step_id="discovery",
        attempt=1,
        state="replied",
        reply_sha256=None,
        reply=None,
        stop_reason="end_turn",
        stop_detail=None,
        model_answered=None,
        provider_request_id=None,
        transport_attempts=1,
        cost_usd=None if usd is None else Decimal(usd),
        price_source="settings",
        **NOTHING_USED,
    )
    await database.transact(lambda session: Journal(session).close_call(came))


async def wrong_sums(database: Database) -> list[tuple[object, ...]]:
    """Every sum of an execution, a project or a day that is not what the calls say."""
    async with database.read() as session:
        return [tuple(row) for row in await session.connection.execute(sa.text(SUMS))]

"""The journal of an execution: records the progress of its steps, in as few statements as possible.

Each step has three commits: the intent to call, the reply, the document. Each is one statement plus the ownership fence
and includes its event, so readers of events never see a state that is not stored.

An event takes the next ``seq`` from the execution's row; that row lock makes commit order and ``seq`` order
the same. Ids of calls and documents come from the caller, made before any retry, so that a transaction whose
commit had an unknown outcome can be run again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

from combine.documents.ordering import stored_json
from combine.documents.statuses import CallState
from combine.formats import storable_text
from combine.observability.correlation import current_request_id
from combine.records import Call, Document
from combine.storage.core.database import WriteSession
from combine.storage.core.listener import CHANNEL
from combine.storage.core.statements import Statement
from combine.storage.hot.claim import Claim

# ruff: noqa: S608 - only the constants of this module are formatted into statements
_NOTIFY = f"SELECT event.seq, pg_notify('{CHANNEL}', event.execution_id || ' ' || event.seq) FROM event"

_TODAY = "cast(statement_timestamp() AT TIME ZONE 'UTC' AS date)"

# Money: all caps are checked and all sums locked in the order execution, project, day, before any sum changes. Each
# condition is checked on the newest row, as the lock waits for whoever holds it. A call begins at
# statement_timestamp(), so the ledger says which day it was booked on. A call that costs nothing locks no project and
# no day.
_OPEN_CALL = f"""
-- claim: this process still owns the segment; locked, so that no other process takes over before the commit
WITH claim AS ({{claim}}),
-- fresh: the intent is not stored yet, and the step has not been sent back
fresh AS (
  SELECT 1 FROM claim WHERE NOT EXISTS (SELECT 1 FROM llm_calls WHERE id = :id)
    AND EXISTS (SELECT 1 FROM steps
      WHERE execution_id = :execution_id AND step_id = :step_id AND revision = :revision)
),
-- execution: the execution's cap has room; an unpriced call only where it is allowed or no cap applies. Locks the row
execution AS (
  SELECT project_id FROM executions e
  WHERE e.id = :execution_id AND EXISTS (SELECT 1 FROM fresh)
    AND (e.budget_usd IS NULL OR e.spent_usd + e.reserved_usd + :amount <= e.budget_usd
      OR cast(:reserved AS numeric) IS NULL AND e.allow_unpriced)
    AND (cast(:reserved AS numeric) IS NOT NULL OR e.allow_unpriced OR (
      e.budget_usd IS NULL AND cast(:daily_budget AS numeric) IS NULL
      AND NOT EXISTS (SELECT 1 FROM projects p WHERE p.id = e.project_id AND p.budget_usd IS NOT NULL)))
  FOR NO KEY UPDATE OF e
),
-- project: the project's cap has room. Locks the row; not for a call that costs nothing
project AS (
  SELECT id FROM projects
  WHERE id = (SELECT project_id FROM execution) AND :amount > 0
    AND (budget_usd IS NULL OR spent_usd + reserved_usd + :amount <= budget_usd)
  FOR NO KEY UPDATE
),
-- day: the day's cap has room, and the amount is reserved under it; only after the two caps before
day AS (
  INSERT INTO daily_spending AS d (day, reserved_usd)
  SELECT {_TODAY}, :amount FROM project
  WHERE cast(:daily_budget AS numeric) IS NULL OR :amount <= :daily_budget
  ON CONFLICT (day) DO UPDATE SET reserved_usd = d.reserved_usd + excluded.reserved_usd
    WHERE cast(:daily_budget AS numeric) IS NULL
      OR d.spent_usd + d.reserved_usd + excluded.reserved_usd <= :daily_budget
  RETURNING day
),
-- reserve_project: only once the day has room, too
reserve_project AS (
  UPDATE projects SET reserved_usd = reserved_usd + :amount
  WHERE id = (SELECT id FROM project) AND EXISTS (SELECT 1 FROM day)
),
-- room: all three caps have room; without this row nothing below is written
room AS (
  SELECT 1 FROM execution WHERE :amount = 0 OR EXISTS (SELECT 1 FROM day)
),
-- reserve: the amount under the execution's cap, and the number of the event; from here on the row is locked
reserve AS (
  UPDATE executions
  SET reserved_usd = reserved_usd + :amount, seq = seq + 1, updated_at = clock_timestamp()
  WHERE id = :execution_id AND EXISTS (SELECT 1 FROM room)
  RETURNING seq
),
-- prompt: the prompt and what it was made of, each stored once for equal ones
prompt AS (
  INSERT INTO blobs (sha256, body)
  SELECT :prompt_sha256, :prompt FROM reserve UNION ALL SELECT :input_sha256, :input FROM reserve
  ON CONFLICT DO NOTHING
),
-- call: the intent
call AS (
  INSERT INTO llm_calls
    (id, execution_id, step_id, revision, attempt, purpose, provider, model, state, prompt_sha256, input_sha256,
     reserved_usd, started_at, request_id)
  SELECT :id, :execution_id, :step_id, :revision, :attempt, :purpose, :provider, :model, 'intent',
         :prompt_sha256, :input_sha256, :reserved, statement_timestamp(), cast(:request_id AS text)
  FROM reserve
),
-- step: keeps the time of its first call
step AS (
  UPDATE steps SET status = 'running', reason = NULL, reason_code = NULL,
    started_at = coalesce(started_at, clock_timestamp())
  WHERE execution_id = :execution_id AND step_id = :step_id AND EXISTS (SELECT 1 FROM reserve)
),
-- event: with the intent or not at all
event AS (
  INSERT INTO events (execution_id, seq, kind, step_id, data, request_id)
  SELECT :execution_id, seq, 'call_started', :step_id, :data, cast(:request_id AS text) FROM reserve
  RETURNING execution_id, seq
)
{_NOTIFY}
"""

_CLOSE_CALL = Statement(f"""
-- reply: stored whatever the state of the call's row, as it was paid for
WITH reply AS (
  INSERT INTO blobs (sha256, body) SELECT :reply_sha256, :reply WHERE cast(:reply_sha256 AS text) IS NOT NULL
  ON CONFLICT DO NOTHING
),
-- call: only a call that is open, so that closing it twice counts its cost once
call AS (
  UPDATE llm_calls SET
    state = :state, reply_sha256 = :reply_sha256, stop_reason = :stop_reason, stop_detail = :stop_detail,
    model_answered = :model_answered, provider_request_id = :provider_request_id,
    transport_attempts = :transport_attempts, input_tokens = :input_tokens, output_tokens = :output_tokens,
    cache_read_tokens = :cache_read_tokens, cache_write_tokens = :cache_write_tokens, cost_usd = :cost_usd,
    price_source = :price_source, error_code = :error_code, error_message = :error_message,
    finished_at = clock_timestamp()
  WHERE id = :id AND state IN ('intent', 'outcome_unknown')
  RETURNING reserved_usd, cast(started_at AT TIME ZONE 'UTC' AS date) AS day
),
-- execution: the cost takes the place of the reservation
execution AS (
  UPDATE executions
  SET spent_usd = spent_usd + coalesce(:cost_usd, 0), seq = seq + 1, updated_at = clock_timestamp(),
      reserved_usd = reserved_usd - coalesce((SELECT reserved_usd FROM call), 0)
  WHERE id = :execution_id AND EXISTS (SELECT 1 FROM call)
  RETURNING seq, project_id
),
-- project: the same; not for a call that costs nothing, so that free models lock no project
project AS (
  UPDATE projects
  SET spent_usd = spent_usd + coalesce(:cost_usd, 0),
      reserved_usd = reserved_usd - coalesce((SELECT reserved_usd FROM call), 0)
  WHERE id = (SELECT project_id FROM execution)
    AND (coalesce(:cost_usd, 0) <> 0 OR coalesce((SELECT reserved_usd FROM call), 0) <> 0)
  RETURNING id
),
-- day: the same, on the day on which the call began
day AS (
  INSERT INTO daily_spending AS d (day, spent_usd, reserved_usd)
  SELECT day, coalesce(:cost_usd, 0), -coalesce(reserved_usd, 0) FROM call WHERE EXISTS (SELECT 1 FROM project)
  ON CONFLICT (day) DO UPDATE
    SET spent_usd = d.spent_usd + excluded.spent_usd, reserved_usd = d.reserved_usd + excluded.reserved_usd
),
-- event: once, as the call is closed once
event AS (
  INSERT INTO events (execution_id, seq, kind, step_id, data, request_id)
  SELECT :execution_id, seq, :kind, :step_id, :data, cast(:request_id AS text) FROM execution
  RETURNING execution_id, seq
)
{_NOTIFY}
""")

_SAVE_DOCUMENT = f"""
-- claim: as above
WITH claim AS ({{claim}}),
-- step: this revision, if it has not been sent back and has not stored this document before
step AS (
  UPDATE steps SET
    status = :step_status, document_id = :id, attempt = :attempt, reason = :reason, reason_code = NULL,
    finished_at = CASE WHEN :step_status = 'done' THEN clock_timestamp() END
  WHERE execution_id = :execution_id AND step_id = :step_id AND revision = :revision
    AND document_id IS DISTINCT FROM :id AND EXISTS (SELECT 1 FROM claim)
  RETURNING step_id
),
-- document: the next version of its type in the project; two that take the same number race, and one is run again
document AS (
  INSERT INTO documents
    (id, project_id, type, version, status, content, ordered_content, content_sha256, origin, execution_id, step_id,
     revision, attempt, call_ids, input_ids, prompt_sha256, assets, model)
  SELECT :id, :project_id, :type,
         (SELECT coalesce(max(version), 0) + 1 FROM documents WHERE project_id = :project_id AND type = :type),
         'draft', cast(:content AS jsonb), :content, :content_sha256, :origin, :execution_id, :step_id, :revision,
         :attempt, :call_ids, :input_ids, :prompt_sha256, :assets, :model
  FROM step
  RETURNING version
),
-- replaced: the version that this step made before; one of another execution (a fork's source) keeps its status
replaced AS (
  UPDATE documents SET status = 'superseded' WHERE id = :replaces AND execution_id = :execution_id
    AND EXISTS (SELECT 1 FROM document)
),
-- execution: the number of the event
execution AS (
  UPDATE executions SET seq = seq + 1, updated_at = clock_timestamp()
  WHERE id = :execution_id AND EXISTS (SELECT 1 FROM document) RETURNING seq
),
-- event: with the number that the version got
event AS (
  INSERT INTO events (execution_id, seq, kind, step_id, data, request_id)
  SELECT :execution_id, execution.seq, 'document_saved', :step_id,
         cast(:data AS jsonb) || jsonb_build_object('version', document.version), cast(:request_id AS text)
  FROM execution, document RETURNING execution_id, seq
)
SELECT event.seq, pg_notify('{CHANNEL}', event.execution_id || ' ' || event.seq), document.version
FROM event, document
"""


_KNOWN = Statement("SELECT 1 FROM llm_calls WHERE id = :id")
_VERSION = Statement("SELECT version FROM documents WHERE id = :id")
_FORGET = Statement("""
UPDATE llm_calls SET state = 'outcome_unknown', finished_at = clock_timestamp()
WHERE execution_id = :execution_id AND state = 'intent'
  AND (cast(:step_ids AS text[]) IS NULL OR step_id = ANY(:step_ids))
""")
_STORED = frozenset(Document.__slots__) - {"version", "status", "created_at", "ordered"}
"""The parameters of a new version; the statement adds the rest."""


def _ledger_row(call: Call) -> dict[str, Any]:
    """The columns of a call, as caused by the current request; the statements set the times.

    What a provider says (its refusal, its model) may contain what cannot be stored, and is no reason to lose a reply.
    """
    given = {name: getattr(call, name) for name in Call.__slots__}
    values = {name: storable_text(value) if isinstance(value, str) else value for name, value in given.items()}
    return values | {"purpose": call.purpose.value, "state": call.state.value, "request_id": current_request_id()}


class Journal:
    """The statements of the hot path, in the caller's transaction."""

    def __init__(self, session: WriteSession) -> None:
        self._connection = session.connection

    async def open_call(self, claim: Claim, call: Call, daily_budget_usd: Decimal | None = None) -> bool:
        """Reserve the worst case under every cap and store the intent to make the call, in one statement.

        False: nothing was written, as the claim is lost, the step was sent back, a cap would be exceeded, or it was
        already written.
        """
        given = json.dumps(call.input, sort_keys=True, separators=(",", ":")).encode()  # equal input, equal bytes
        values = _ledger_row(call) | {
            **claim.values,
            "prompt": stored_json(None if call.prompt is None else asdict(call.prompt)),
            "input_sha256": sha256(given).hexdigest(),
            "input": given,
            "reserved": call.reserved_usd,
            "amount": call.reserved_usd or Decimal(0),
            "daily_budget": daily_budget_usd,
            "data": {
                "call_id": str(call.id),
                "revision": call.revision,
                "attempt": call.attempt,
                "purpose": call.purpose.value,
                "model": call.model,
            },
        }
        return await claim.statement(_OPEN_CALL).first(self._connection, **values) is not None

    async def knows_call(self, call_id: UUID) -> bool:
        """Whether that intent was stored."""
        return await _KNOWN.first(self._connection, id=call_id) is not None

    async def close_call(self, call: Call) -> None:
        """Store the raw reply or the error, its usage and its cost, and release the reservation. Idempotent."""
        reply = None if call.reply is None else call.reply.encode("utf-8", "surrogatepass")
        values = _ledger_row(call) | {
            "reply": reply,
            "reply_sha256": None if reply is None else sha256(reply).hexdigest(),
            "kind": "call_finished" if call.state is CallState.REPLIED else "call_failed",
            "data": {
                "call_id": str(call.id),
                "attempt": call.attempt,
                "input_tokens": call.input_tokens,
                "output_tokens": call.output_tokens,
                "cache_read_tokens": call.cache_read_tokens,
                "cache_write_tokens": call.cache_write_tokens,
                "cost_usd": None if call.cost_usd is None else str(call.cost_usd),
                "error": None if call.error_message is None else storable_text(call.error_message),
            },
        }
        await _CLOSE_CALL.first(self._connection, **values)

    async def save_document(
        self, claim: Claim, document: Document, *, replaces: UUID | None, step_status: str, reason: str | None = None
    ) -> int | None:
        """Store document, version, event and the step's new status in one statement; returns the version's number.

        ``replaces``: the previous version of this step; it becomes superseded. None: nothing was written, as the claim
        is lost, the step was sent back, or it was already written.
        """
        values: dict[str, Any] = {name: getattr(document, name) for name in _STORED} | dict(claim.values)
        values["call_ids"] = list(document.call_ids)
        values["input_ids"] = list(document.input_ids)
        values["replaces"] = replaces
        values["request_id"] = current_request_id()
        values["step_status"] = step_status
        values["reason"] = reason
        values["data"] = {"document": document.type, "document_id": str(document.id), "revision": document.revision}
        row = await claim.statement(_SAVE_DOCUMENT).first(self._connection, **values)
        return None if row is None else int(row.version)

    async def saved_version(self, document_id: UUID) -> int | None:
        """The version number of a saved document; None if it was not saved."""
        row = await _VERSION.first(self._connection, id=document_id)
        return None if row is None else int(row.version)

    async def forget_open_calls(self, execution_id: UUID, step_ids: Sequence[str] | None = None) -> int:
        """Mark calls whose process ended before the reply: outcome unknown, cost stays reserved. Returns how many.

        ``step_ids``: only those of these steps.
        """
        given = None if step_ids is None else list(step_ids)
        return await _FORGET.run(self._connection, execution_id=execution_id, step_ids=given)

"""The one reading of an execution: for a segment, for people, for a recording."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from combine.brief.brief import UNKNOWN_LANGUAGE
from combine.documents.statuses import CallState
from combine.records import (
    AskedQuestion,
    Call,
    Document,
    Event,
    Execution,
    ExecutionSnapshot,
    FoundFinding,
    RecordedPrompt,
    Step,
)
from combine.storage.core.database import ReadSession
from combine.storage.core.id_prefix import uuid_range
from combine.storage.core.rows import reader
from combine.storage.core.statements import Statement
from combine.storage.core.visibility import Visibility
from combine.storage.events import SECONDS_AT_WORK
from combine.storage.executions import execution_not_found, the_only

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Depth(Enum):
    """How much of an execution to read."""

    OVERVIEW = "overview"  # for people: no contents, also none of the brief, no prompts, replies or events
    SEGMENT = "segment"  # for a segment: the contents of documents, and the replies that have been paid for
    RECORDING = "recording"  # everything


_SPECIAL = {
    "project": "p.name",
    "workflow": "e.definition",
    "default": "q.default_answer",
    "prompt": None,
    "input": None,
    "reply": None,
}
"""Fields that are not the column of their name; None: a statement of its own reads them."""


def _columns(kind: type[DataclassInstance], alias: str, **other: str) -> str:
    """The select list of a record; amounts as text, since a JSON number could lose their last digits."""
    special = {**_SPECIAL, **other}
    chosen = []
    for name in (field.name for field in fields(kind)):
        column = special.get(name, f"{alias}.{name}")
        if column is not None:
            chosen.append(f"{f'cast({column} AS text)' if name.endswith('_usd') else column} AS {name}")
    return ", ".join(chosen)


def _list(columns: str, of: str, order: str) -> str:
    return f"(SELECT coalesce(json_agg(r), '[]') FROM (SELECT {columns} FROM {of} ORDER BY {order}) r)"


# ruff: noqa: S608 - only constants of this module and names of columns are formatted into statements
_MADE = """
SELECT id FROM documents WHERE execution_id = e.id UNION SELECT document_id FROM steps WHERE execution_id = e.id"""
# What a fork has taken over and then replaced is found in its first event.
_TAKEN_OVER = """
UNION SELECT cast(taken.value AS uuid) FROM events v, jsonb_each_text(v.data -> 'taken_over') taken
WHERE v.execution_id = e.id AND v.kind = 'forked_from'"""
_NO_BRIEF = f"json_build_object('text', '', 'language', '{UNKNOWN_LANGUAGE}', 'sentences', '[]'::json)"
_NUMBERS = """
(SELECT coalesce(json_agg(json_build_object(
    'at', e.created_at, 'type', n ->> 0, 'prefix', n ->> 1, 'highest', n -> 2)), '[]')
  FROM jsonb_array_elements(e.used_before) n)"""


@lru_cache(maxsize=3)
def _statement(depth: Depth) -> Statement:
    contents = depth is not Depth.OVERVIEW
    content = "coalesce(d.ordered_content, cast(d.content AS json))" if contents else "'{}'::json"
    made = _MADE + (_TAKEN_OVER if depth is Depth.RECORDING else "")
    document = _columns(Document, "d", content=content, ordered="d.ordered_content IS NOT NULL")
    question = _columns(AskedQuestion, "q", id="'Q-' || q.number")
    own = "execution_id = e.id"
    parts = {
        "execution": f"(SELECT row_to_json(r) FROM (SELECT {_columns(Execution, 'e')}) r)",
        "brief": "b.content" if contents else _NO_BRIEF,
        "steps": _list(_columns(Step, "s"), f"steps s WHERE s.{own}", "s.position"),
        "documents": _list(document, f"documents d WHERE d.id IN ({made})", "d.created_at, d.id"),
        "questions": _list(question, f"questions q WHERE q.{own}", "q.number"),
        "findings": _list(_columns(FoundFinding, "f"), f"findings f WHERE f.{own}", "f.id"),
        "calls": _list(_columns(Call, "c"), f"llm_calls c WHERE c.{own}", "c.started_at, c.id"),
    }
    if contents:
        previous = "documents d WHERE d.id = ANY(e.previous_ids)"
        parts |= {"previous": _list(document, previous, "d.type, d.version"), "numbers": _NUMBERS}
    else:
        parts |= {"seconds_at_work": f"({SECONDS_AT_WORK})"}
    if depth is Depth.RECORDING:
        parts["events"] = _list(_columns(Event, "v"), f"events v WHERE v.{own}", "v.seq")
    pairs = ", ".join(f"'{name}', {query}" for name, query in parts.items())
    return Statement(f"""
SELECT e.id, cast(json_build_object({pairs}) AS text) AS snapshot
FROM executions e JOIN projects p ON p.id = e.project_id JOIN documents b ON b.id = e.brief_id
WHERE e.id BETWEEN :low AND :high
  AND (cast(:user_id AS uuid) IS NULL
    OR e.project_id IN (SELECT m.project_id FROM project_members m WHERE m.user_id = :user_id))
ORDER BY e.created_at DESC LIMIT 5""")


# Only of calls that the snapshot shows as replied: one stored since then lacks its stop reason there.
_REPLIES = Statement("""
SELECT c.id, b.body AS reply FROM llm_calls c JOIN blobs b ON b.sha256 = c.reply_sha256 WHERE c.id = ANY(:replied)
""")
_BODIES = Statement("""
SELECT c.id, p.body AS prompt, i.body AS input, r.body AS reply
FROM llm_calls c LEFT JOIN blobs p ON p.sha256 = c.prompt_sha256 LEFT JOIN blobs i ON i.sha256 = c.input_sha256
  LEFT JOIN blobs r ON r.sha256 = c.reply_sha256
WHERE c.execution_id = :execution_id
""")


class Snapshots:
    """Reads only. One statement, plus one for the bodies of calls if requested and present."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def read(self, execution_id: UUID, depth: Depth) -> ExecutionSnapshot | None:
        """The execution with that id, without a visibility check; None if there is none."""
        rows = await self._rows(depth, (execution_id, execution_id), None)
        return await self._whole(rows[0], depth) if rows else None

    async def find(self, text: str, visibility: Visibility, depth: Depth) -> ExecutionSnapshot:
        """The visible execution whose id starts with ``text``.

        Raises Invalid below four digits, NotFound, and Conflict with the candidates if several match.
        """
        ids = uuid_range(text)
        if ids is None:
            raise execution_not_found(text)
        return await self._whole(the_only(await self._rows(depth, ids, visibility.user_id), text), depth)

    async def _rows(self, depth: Depth, ids: tuple[UUID, UUID], user_id: UUID | None) -> list[Any]:
        return await _statement(depth).rows(self._connection, low=ids[0], high=ids[1], user_id=user_id)

    async def _whole(self, found: Any, depth: Depth) -> ExecutionSnapshot:
        snapshot: ExecutionSnapshot = reader(ExecutionSnapshot).validate_json(found.snapshot)
        replied = [call.id for call in snapshot.calls if call.state is CallState.REPLIED]
        if depth is Depth.OVERVIEW or not (replied or depth is Depth.RECORDING):
            return snapshot
        if depth is Depth.SEGMENT:
            rows = await _REPLIES.rows(self._connection, replied=replied)
        else:
            rows = await _BODIES.rows(self._connection, execution_id=found.id)
        bodies = {row.id: _bodies(row._asdict()) for row in rows}
        return replace(snapshot, calls=tuple(replace(call, **bodies.get(call.id, {})) for call in snapshot.calls))


def _bodies(row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if row.get("prompt") is not None:
        found["prompt"] = RecordedPrompt(**json.loads(bytes(row["prompt"])))
    if row.get("input") is not None:
        found["input"] = json.loads(bytes(row["input"]))
    if row["reply"] is not None:
        found["reply"] = bytes(row["reply"]).decode("utf-8", "surrogatepass")
    return found

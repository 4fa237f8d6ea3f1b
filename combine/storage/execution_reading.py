"""One execution with everything about it, in one statement: what a page of it costs, many ask for often."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from combine.storage.calls import CallRow
from combine.storage.core.database import ReadSession
from combine.storage.core.id_prefix import uuid_range
from combine.storage.core.visibility import Visibility
from combine.storage.documents import DocumentInfo
from combine.storage.events import SECONDS_AT_WORK
from combine.storage.executions import ExecutionRow, execution_not_found, the_only
from combine.storage.steps import StepRow

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question, settled or not."""

    number: int
    step_id: str
    round: int
    text: str
    why: str
    answer_type: str
    choices: tuple[str, ...]
    default_answer: str
    required: bool
    answer: str | None
    decided_by: str | None
    assumption_id: str | None


@dataclass(frozen=True, slots=True)
class FoundFinding:
    """What the last answered call of a step left open."""

    step_id: str
    kind: str
    severity: str
    code: str
    document: str
    item: str | None
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class WholeExecution:
    """A consistent reading of everything about one execution."""

    execution: ExecutionRow
    project: str
    steps: tuple[StepRow, ...]
    """In the order of the workflow."""
    documents: tuple[DocumentInfo, ...]
    """Every version that it has made or taken over, in no order."""
    questions: tuple[AskedQuestion, ...]
    findings: tuple[FoundFinding, ...]
    calls: tuple[CallRow, ...]
    """The oldest first."""
    seconds_at_work: float


def _names(kind: type[DataclassInstance], alias: str) -> str:
    return ", ".join(f"{alias}.{field.name}" for field in fields(kind))


def _all(kind: type[DataclassInstance], alias: str, of: str, order: str) -> str:
    """The rows as the text of one JSON list."""
    rows = f"SELECT {_names(kind, alias)} FROM {of} ORDER BY {order}"
    return f"(SELECT cast(coalesce(json_agg(r), '[]') AS text) FROM ({rows}) r)"


_MADE = """
SELECT id FROM documents WHERE execution_id = e.id
UNION SELECT document_id FROM steps WHERE execution_id = e.id
"""
_LAST_REPLIES = """
SELECT DISTINCT ON (step_id) step_id, revision, attempt FROM llm_calls
WHERE execution_id = e.id AND state = 'replied' ORDER BY step_id, revision DESC, attempt DESC
"""
_SAME = "l.step_id = f.step_id AND l.revision = f.revision AND l.attempt = f.attempt"
# ruff: noqa: S608 - only the constants above and names of columns are formatted in
_WHOLE = sa.text(f"""
SELECT {_names(ExecutionRow, "e")}, p.name AS project,
  {_all(StepRow, "s", "steps s WHERE s.execution_id = e.id", "s.position")} AS steps,
  {_all(DocumentInfo, "d", f"documents d WHERE d.id IN ({_MADE})", "d.created_at")} AS documents,
  {_all(AskedQuestion, "q", "questions q WHERE q.execution_id = e.id", "q.number")} AS questions,
  {_all(FoundFinding, "f", f"findings f JOIN ({_LAST_REPLIES}) l ON {_SAME} WHERE f.execution_id = e.id", "f.id")}
    AS findings,
  {_all(CallRow, "c", "llm_calls c WHERE c.execution_id = e.id", "c.started_at, c.id")} AS calls,
  ({SECONDS_AT_WORK}) AS seconds_at_work
FROM executions e JOIN projects p ON p.id = e.project_id
WHERE e.id BETWEEN :low AND :high
  AND (cast(:user_id AS uuid) IS NULL
    OR e.project_id IN (SELECT m.project_id FROM project_members m WHERE m.user_id = :user_id))
ORDER BY e.created_at DESC LIMIT 5
""")


async def read_whole_execution(session: ReadSession, text: str, visibility: Visibility) -> WholeExecution:
    """The execution that may be seen and whose id begins with ``text``.

    Raises Invalid below four digits, NotFound, and Conflict naming the candidates when there are several.
    """
    ids = uuid_range(text)
    if ids is None:
        raise execution_not_found(text)
    values = {"low": ids[0], "high": ids[1], "user_id": visibility.user_id}
    row: Any = the_only((await session.connection.execute(_WHOLE, values)).all(), text)
    return WholeExecution(
        execution=ExecutionRow(**{field.name: getattr(row, field.name) for field in fields(ExecutionRow)}),
        project=row.project,
        steps=_reader(StepRow).validate_json(row.steps),
        documents=_reader(DocumentInfo).validate_json(row.documents),
        questions=_reader(AskedQuestion).validate_json(row.questions),
        findings=_reader(FoundFinding).validate_json(row.findings),
        calls=_reader(CallRow).validate_json(row.calls),
        seconds_at_work=float(row.seconds_at_work),
    )


@lru_cache(maxsize=8)
def _reader(kind: type[Any]) -> TypeAdapter[tuple[Any, ...]]:
    return TypeAdapter(tuple[kind, ...])  # type: ignore[valid-type] # a variable is what pydantic takes here

"""The ledger: every request to a language model, with its usage and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from combine.documents.statuses import CallState, GroupBy
from combine.errors import Conflict, NotFound
from combine.records import Call
from combine.storage.core.database import ReadSession
from combine.storage.core.id_prefix import uuid_range
from combine.storage.core.rows import build_all, columns
from combine.storage.core.tables import executions, llm_calls, projects
from combine.storage.core.visibility import Visibility


@dataclass(frozen=True, slots=True)
class CallGroup:
    """The totals of one group of calls."""

    key: str
    calls: int
    failed: int
    outcome_unknown: int
    """Sent, but the process ended before the reply."""
    unpriced: int
    """Answered, but the price is unknown; not in ``cost_usd``."""
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: Decimal
    """Cost of the calls with a known price."""
    reserved_usd: Decimal
    """Reserved for calls in flight."""
    outcome_unknown_usd: Decimal
    """Reserved for calls whose outcome is unknown: the most that can have been spent on them."""


def _set_aside(state: CallState) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(sa.func.sum(llm_calls.c.reserved_usd).filter(llm_calls.c.state == state), 0)


def _total(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(sa.func.sum(column), 0)


_UNPRICED = sa.and_(llm_calls.c.state == CallState.REPLIED, llm_calls.c.cost_usd.is_(None))
_SUMS = (
    sa.func.count().label("calls"),
    sa.func.count().filter(llm_calls.c.state == CallState.FAILED).label("failed"),
    sa.func.count().filter(llm_calls.c.state == CallState.OUTCOME_UNKNOWN).label("outcome_unknown"),
    sa.func.count().filter(_UNPRICED).label("unpriced"),
    sa.cast(_total(llm_calls.c.input_tokens), sa.BigInteger).label("input_tokens"),
    sa.cast(_total(llm_calls.c.output_tokens), sa.BigInteger).label("output_tokens"),
    sa.cast(_total(llm_calls.c.cache_read_tokens), sa.BigInteger).label("cache_read_tokens"),
    sa.cast(_total(llm_calls.c.cache_write_tokens), sa.BigInteger).label("cache_write_tokens"),
    _total(llm_calls.c.cost_usd).label("cost_usd"),
    _set_aside(CallState.INTENT).label("reserved_usd"),
    _set_aside(CallState.OUTCOME_UNKNOWN).label("outcome_unknown_usd"),
)
_KEYS: dict[GroupBy, sa.ColumnElement[Any]] = {
    GroupBy.DAY: sa.func.to_char(sa.func.timezone("UTC", llm_calls.c.started_at), "YYYY-MM-DD"),
    GroupBy.MODEL: sa.case(
        (llm_calls.c.model.in_(["", llm_calls.c.provider]), llm_calls.c.provider),
        else_=llm_calls.c.provider + ":" + llm_calls.c.model,
    ),
    GroupBy.WORKFLOW: executions.c.workflow_id,
    GroupBy.STEP: executions.c.workflow_id + "/" + llm_calls.c.step_id,
    GroupBy.PROJECT: projects.c.name,
    GroupBy.EXECUTION: sa.cast(llm_calls.c.execution_id, sa.Text),
}


class Calls:
    """Every query about calls, except the hot path in ``journal.py``."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def find(self, execution_id: UUID, text: str) -> Call:
        """The call of an execution whose id starts with ``text``; dashes and case are ignored.

        Raises Invalid below four digits, NotFound, and Conflict if several match.
        """
        ids = uuid_range(text)
        found: tuple[Call, ...] = ()
        if ids is not None:
            query = sa.select(*columns(llm_calls, Call)).where(llm_calls.c.execution_id == execution_id)
            rows = await self._connection.execute(query.where(llm_calls.c.id.between(*ids)).limit(2))
            found = build_all(Call, rows)
        if not found:
            hint = "`combine show` lists the calls of an execution."
            raise NotFound(f"There is no call {text} in this execution.", code="call_not_found", hint=hint)
        if len(found) > 1:
            hint = "Use more digits of the ID."
            raise Conflict(f"Several call IDs start with {text}.", code="call_id_ambiguous", hint=hint)
        return found[0]

    async def costs(self, execution_ids: Sequence[UUID]) -> dict[UUID, Decimal | None]:
        """The cost of each execution, including the reservations of calls whose outcome is unknown.

        None: the price of a call is unknown.
        """
        cost = sa.case(
            (llm_calls.c.state == CallState.OUTCOME_UNKNOWN, llm_calls.c.reserved_usd), else_=llm_calls.c.cost_usd
        )
        query = (
            sa.select(llm_calls.c.execution_id, sa.func.sum(cost), sa.func.count() > sa.func.count(cost))
            .where(llm_calls.c.execution_id.in_(execution_ids), llm_calls.c.state != CallState.INTENT)
            .group_by(llm_calls.c.execution_id)
        )
        costs: dict[UUID, Decimal | None] = dict.fromkeys(execution_ids, Decimal(0))
        for execution_id, usd, unknown in await self._connection.execute(query):
            costs[execution_id] = None if unknown else usd
        return costs

    async def groups(
        self,
        by: GroupBy,
        visibility: Visibility,
        *,
        project_id: UUID | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[CallGroup, ...]:
        """Totals of the calls started in [since, until), grouped by ``by``, ordered by key. Days are UTC days."""
        joined = llm_calls.join(executions, executions.c.id == llm_calls.c.execution_id)
        joined = joined.join(projects, projects.c.id == executions.c.project_id)
        query = sa.select(_KEYS[by].label("key"), *_SUMS).select_from(joined)
        query = query.where(visibility.of(executions.c.project_id))
        if project_id is not None:
            query = query.where(executions.c.project_id == project_id)
        if since is not None:
            query = query.where(llm_calls.c.started_at >= since)
        if until is not None:
            query = query.where(llm_calls.c.started_at < until)
        rows = await self._connection.execute(query.group_by(sa.text("1")).order_by(sa.text("1")))
        return build_all(CallGroup, rows)

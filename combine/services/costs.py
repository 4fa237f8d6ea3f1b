"""Costs by group."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from combine.auth.permissions import Actor
from combine.documents.statuses import GroupBy
from combine.services.access import Access
from combine.services.views import CostGroupView, CostReport, TokensView
from combine.storage.calls import CallGroup, Calls
from combine.storage.core.database import Database


class CostService:
    """Reads the part of the ledger that its actor may see."""

    def __init__(self, database: Database, *, actor: Actor) -> None:
        self._database = database
        self._access = Access(actor)

    async def report(
        self, by: GroupBy = GroupBy.DAY, project: str | UUID | None = None, since: datetime | None = None
    ) -> CostReport:
        """Costs of calls started at or after ``since``. Raises NotFound for an unknown project."""
        async with self._database.read() as session:
            project_id = None if project is None else (await self._access.project(session, project)).id
            rows = await Calls(session).groups(by, self._access.visibility, project_id=project_id, since=since)
        return CostReport(by, tuple(_sum(row.key, [row]) for row in rows), _sum("total", rows))


def _sum(key: str, rows: Sequence[CallGroup]) -> CostGroupView:
    return CostGroupView(
        key=key,
        calls=sum(row.calls for row in rows),
        failed=sum(row.failed for row in rows),
        outcome_unknown=sum(row.outcome_unknown for row in rows),
        unpriced=sum(row.unpriced for row in rows),
        tokens=TokensView(
            input=sum(row.input_tokens for row in rows),
            output=sum(row.output_tokens for row in rows),
            cache_read=sum(row.cache_read_tokens for row in rows),
            cache_write=sum(row.cache_write_tokens for row in rows),
        ),
        cost_usd=sum((row.cost_usd for row in rows), Decimal(0)),
        reserved_usd=sum((row.reserved_usd for row in rows), Decimal(0)),
        outcome_unknown_usd=sum((row.outcome_unknown_usd for row in rows), Decimal(0)),
    )

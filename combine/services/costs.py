"""Costs by group."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from combine.auth.permissions import Actor
from combine.services.access import Access
from combine.services.views import TokensView, Usd
from combine.storage.calls import CallGroup, Calls, CallSums, GroupBy
from combine.storage.core.database import Database

__all__ = ["CostGroupView", "CostReport", "CostService", "GroupBy"]


@dataclass(frozen=True, slots=True)
class CostGroupView:
    """Totals for one group of calls."""

    key: str
    calls: int
    failed: int
    outcome_unknown: int
    """Sent, but the process ended before the reply."""
    unpriced: int
    """Answered, but the price is unknown; not in ``cost_usd``."""
    tokens: TokensView
    cost_usd: Usd
    """Of the calls with a known price."""
    reserved_usd: Usd
    """Reserved for calls in flight; not in ``cost_usd``."""
    outcome_unknown_usd: Usd
    """Reserved for calls whose outcome is unknown; not in ``cost_usd``."""


@dataclass(frozen=True, slots=True)
class CostReport:
    """Costs by group, and their total."""

    by: GroupBy
    groups: tuple[CostGroupView, ...]
    total: CostGroupView


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
        groups = tuple(_group(row) for row in rows)
        return CostReport(by, groups, _total(groups))


def _group(row: CallGroup) -> CostGroupView:
    sums: CallSums = row.sums
    return CostGroupView(
        key=row.key,
        calls=sums.calls,
        failed=sums.failed,
        outcome_unknown=sums.outcome_unknown,
        unpriced=sums.unpriced,
        tokens=TokensView(sums.input_tokens, sums.output_tokens, sums.cache_read_tokens, sums.cache_write_tokens),
        cost_usd=sums.cost_usd,
        reserved_usd=sums.reserved_usd,
        outcome_unknown_usd=sums.outcome_unknown_usd,
    )


def _total(groups: tuple[CostGroupView, ...]) -> CostGroupView:
    return CostGroupView(
        key="total",
        calls=sum(group.calls for group in groups),
        failed=sum(group.failed for group in groups),
        outcome_unknown=sum(group.outcome_unknown for group in groups),
        unpriced=sum(group.unpriced for group in groups),
        tokens=TokensView(
            input=sum(group.tokens.input for group in groups),
            output=sum(group.tokens.output for group in groups),
            cache_read=sum(group.tokens.cache_read for group in groups),
            cache_write=sum(group.tokens.cache_write for group in groups),
        ),
        cost_usd=sum((group.cost_usd for group in groups), Decimal(0)),
        reserved_usd=sum((group.reserved_usd for group in groups), Decimal(0)),
        outcome_unknown_usd=sum((group.outcome_unknown_usd for group in groups), Decimal(0)),
    )

"""Executions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.documents.statuses import ENDED, ExecutionStatus
from combine.errors import Conflict, NotFound
from combine.observability.correlation import current_request_id
from combine.records import Execution
from combine.storage.core.database import ReadSession
from combine.storage.core.id_prefix import uuid_range
from combine.storage.core.rows import build, build_all, columns
from combine.storage.core.tables import executions, projects
from combine.storage.core.visibility import Visibility
from combine.workflows.definitions import definition_to_json

_SELECT = sa.select(
    *columns(executions, Execution), projects.c.name.label("project"), executions.c.definition.label("workflow")
).join(projects, projects.c.id == executions.c.project_id)


def new_row(new: Execution) -> dict[str, Any]:
    """The columns of a new execution, as caused by the current request; the others have defaults."""
    return {
        "project_id": new.project_id,
        "workflow_id": new.workflow.workflow_id,
        "workflow_version": new.workflow.version,
        "definition": definition_to_json(new.workflow),
        "brief_id": new.brief_id,
        "model": str(new.model),
        "ask": new.ask,
        "given_answers": dict(new.given_answers),
        "budget_usd": new.budget_usd,
        "allow_unpriced": new.allow_unpriced,
        "request_id": current_request_id(),
    }


class Executions:
    """Every query about executions."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def insert(self, new: Execution) -> None:
        """Store a new execution, as caused by the current request. Idempotent."""
        values = {"id": new.id, "status": ExecutionStatus.QUEUED, "forked_from": new.forked_from, **new_row(new)}
        await self._connection.execute(insert(executions).values(**values).on_conflict_do_nothing())

    async def get(self, execution_id: UUID) -> Execution:
        """Raises NotFound."""
        return await self._one(_SELECT.where(executions.c.id == execution_id), execution_id)

    async def seen(self, execution_id: UUID, visibility: Visibility) -> Execution:
        """The visible execution with this id. Raises NotFound."""
        seen = visibility.of(executions.c.project_id)
        return await self._one(_SELECT.where(executions.c.id == execution_id, seen), execution_id)

    async def lock(self, execution_id: UUID) -> Execution:
        """The current row, locked until the transaction ends. Raises NotFound."""
        return await self._one(
            _SELECT.where(executions.c.id == execution_id).with_for_update(of=executions), execution_id
        )

    async def find_by_prefix(self, text: str, visibility: Visibility) -> Execution:
        """The visible execution whose id starts with ``text``; dashes and case are ignored.

        Raises Invalid below four digits, NotFound, and Conflict with the candidates if several match.
        """
        ids = uuid_range(text)
        if ids is None:
            raise execution_not_found(text)
        seen = visibility.of(executions.c.project_id)
        query = _SELECT.where(executions.c.id.between(*ids), seen).order_by(executions.c.created_at.desc()).limit(5)
        return the_only(build_all(Execution, await self._connection.execute(query)), text)

    async def list(
        self,
        visibility: Visibility,
        *,
        project_id: UUID | None = None,
        statuses: Collection[str] = (),
        limit: int = 50,
        before: tuple[datetime, UUID] | None = None,
    ) -> tuple[Execution, ...]:
        """Visible executions that match all filters, newest first.

        ``before``: ``created_at`` and ``id`` of the last row of the previous page.
        """
        query = _SELECT.where(visibility.of(executions.c.project_id))
        if project_id is not None:
            query = query.where(executions.c.project_id == project_id)
        if statuses:
            query = query.where(executions.c.status.in_(statuses))
        if before is not None:
            place = sa.tuple_(executions.c.created_at, executions.c.id)
            query = query.where(place < sa.tuple_(*map(sa.literal, before)))
        query = query.order_by(executions.c.created_at.desc(), executions.c.id.desc()).limit(limit)
        return build_all(Execution, await self._connection.execute(query))

    async def set_status(
        self, execution_id: UUID, status: str, *, reason: str | None = None, reason_code: str | None = None
    ) -> None:
        """Set the status and its reason. Raises NotFound."""
        now = sa.func.clock_timestamp()
        finished = now if status in ENDED else None
        values = {"status": status, "reason": reason, "reason_code": reason_code, "finished_at": finished}
        await self._update(execution_id, {**values, "updated_at": now})

    async def next_round(self, execution_id: UUID) -> int:
        """Increment the segment number and return it. Raises NotFound."""
        return await self._update(execution_id, {"round": executions.c.round + 1})

    async def set_budget(self, execution_id: UUID, budget_usd: Decimal | None) -> None:
        """Set the cap; None: no cap. Raises NotFound."""
        await self._update(execution_id, {"budget_usd": budget_usd})

    async def allow_unpriced(self, execution_id: UUID) -> None:
        """Allow calls of unknown price although a cap applies. Raises NotFound."""
        await self._update(execution_id, {"allow_unpriced": True})

    async def caused_by_this_request(self, execution_id: UUID) -> None:
        """Attribute what the execution does from now on to the current request, or to none outside a request."""
        await self._update(execution_id, {"request_id": current_request_id()})

    async def _update(self, execution_id: UUID, values: Mapping[str, Any]) -> int:
        statement = sa.update(executions).where(executions.c.id == execution_id).values(**values)
        number = (await self._connection.execute(statement.returning(executions.c.round))).scalar()
        if number is None:
            raise execution_not_found(str(execution_id))
        return int(number)

    async def _one(self, query: sa.Select[Any], execution_id: UUID) -> Execution:
        row = (await self._connection.execute(query)).first()
        if row is None:
            raise execution_not_found(str(execution_id))
        return build(Execution, row)


class _WithId(Protocol):
    @property
    def id(self) -> UUID: ...


R = TypeVar("R", bound=_WithId)


def the_only(found: Sequence[R], text: str) -> R:
    """The row whose id starts with ``text``. Raises NotFound, and Conflict with the candidates if several match."""
    if not found:
        raise execution_not_found(text)
    if len(found) > 1:
        raise Conflict(
            f"Several execution IDs start with {text}: {', '.join(str(row.id) for row in found)}.",
            code="execution_id_ambiguous",
            hint="Use more digits of the ID.",
        )
    return found[0]


def execution_not_found(text: str) -> NotFound:
    """The error if there is no visible execution with that id."""
    return NotFound(f"There is no execution {text}.", code="execution_not_found", hint="`combine list` shows them.")

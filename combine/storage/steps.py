"""Steps of an execution."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict, Unpack
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.documents.statuses import StepStatus
from combine.errors import NotFound
from combine.records import Step
from combine.storage.core.database import ReadSession
from combine.storage.core.rows import build_all, columns
from combine.storage.core.tables import steps


class SentBackSince(Exception):
    """The step has a later revision than the one to be written."""


class StepChanges(TypedDict, total=False):
    """The fields of a step that may change."""

    status: str
    revision: int
    attempt: int
    question_rounds: int
    document_id: UUID | None
    accepted: bool
    guidance: str | None
    reason: str | None
    reason_code: str | None
    started_at: datetime | None
    finished_at: datetime | None


class Steps:
    """Every query about steps."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def insert_all(self, execution_id: UUID, step_ids: Sequence[str]) -> None:
        """Store the steps of a new execution in order, all pending. Idempotent."""
        if not step_ids:
            return
        rows = [
            {"execution_id": execution_id, "step_id": step_id, "position": position, "status": StepStatus.PENDING}
            for position, step_id in enumerate(step_ids)
        ]
        await self._connection.execute(insert(steps).values(rows).on_conflict_do_nothing())

    async def list(self, execution_id: UUID) -> tuple[Step, ...]:
        """The steps, in the order of the workflow."""
        query = sa.select(*columns(steps, Step)).where(steps.c.execution_id == execution_id)
        return build_all(Step, await self._connection.execute(query.order_by(steps.c.position)))

    async def update(self, execution_id: UUID, step_id: str, **changes: Unpack[StepChanges]) -> None:
        """Change the given fields. Raises NotFound."""
        where = (steps.c.execution_id == execution_id, steps.c.step_id == step_id)
        if (await self._connection.execute(sa.update(steps).where(*where).values(**changes))).rowcount == 0:
            raise NotFound(f"The execution has no step {step_id!r}.", code="step_not_found")

    async def update_revision(
        self, execution_id: UUID, step_id: str, of_revision: int, **changes: Unpack[StepChanges]
    ) -> None:
        """Like ``update``, by the process that runs this revision of the step. Raises SentBackSince."""
        query = sa.update(steps).where(*_of(execution_id, step_id, of_revision)).values(**changes)
        if (await self._connection.execute(query)).rowcount == 0:
            raise SentBackSince

    async def need_revision(self, execution_id: UUID, step_id: str, revision: int) -> None:
        """Raises SentBackSince if this is not the step's current revision."""
        query = sa.select(steps.c.step_id).where(*_of(execution_id, step_id, revision))
        if (await self._connection.execute(query)).first() is None:
            raise SentBackSince


def _of(execution_id: UUID, step_id: str, revision: int) -> tuple[sa.ColumnElement[bool], ...]:
    return steps.c.execution_id == execution_id, steps.c.step_id == step_id, steps.c.revision == revision

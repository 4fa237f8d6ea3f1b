"""The audit log: who changed what, written in the transaction of the change. Rows are never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from combine.observability.correlation import current_request_id
from combine.storage.core.database import ReadSession, Trace, WriteSession
from combine.storage.core.rows import build_all
from combine.storage.core.tables import audit, users


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One change and its author."""

    id: int
    at: datetime
    action: str
    user_id: UUID | None
    token_id: UUID | None
    project_id: UUID | None
    object: str | None
    data: Mapping[str, Any]
    request_id: str | None
    user_name: str | None = None
    """The user's current name; None: done on the command line."""


_COLUMNS = [column for column in audit.c if column.name in AuditRow.__slots__]


class Audit:
    """Every query about the audit log."""

    def __init__(self, session: ReadSession) -> None:
        self._session = session
        self._connection = session.connection

    async def add(
        self,
        action: str,
        *,
        user_id: UUID | None,
        token_id: UUID | None = None,
        project_id: UUID | None = None,
        object_: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Store one row, in the transaction of the change; the request id is that of the task.

        From then on the transaction is not retried after a commit whose response was lost: the row would be duplicated.
        """
        row = sa.insert(audit).values(
            action=action,
            user_id=user_id,
            token_id=token_id,
            project_id=project_id,
            object=object_,
            data=dict(data or {}),
            request_id=current_request_id(),
        )
        number = sa.cast(sa.func.pg_current_xact_id(), sa.Text)
        stored = (await self._connection.execute(row.returning(audit.c.id, audit.c.at, number))).one()
        assert isinstance(self._session, WriteSession)  # set, since the transaction has written
        written = sa.select(audit.c.id).where(audit.c.id == stored[0], audit.c.at == stored[1])
        self._session.trace = Trace(stored[2], written)

    async def list(
        self, *, project_id: UUID | None = None, before: int | None = None, limit: int = 50
    ) -> tuple[AuditRow, ...]:
        """Newest first, of one project or of all; ``before``: the id of the last row of the previous page."""
        query: sa.Select[Any] = sa.select(*_COLUMNS, users.c.name.label("user_name"))
        query = query.select_from(audit.outerjoin(users, users.c.id == audit.c.user_id))
        if project_id is not None:
            query = query.where(audit.c.project_id == project_id)
        if before is not None:
            query = query.where(audit.c.id < before)
        rows = await self._connection.execute(query.order_by(audit.c.id.desc()).limit(limit))
        return build_all(AuditRow, rows)

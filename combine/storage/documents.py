"""Documents: immutable versions, and which one is active."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON

from combine.documents.statuses import DocumentStatus
from combine.errors import Conflict, NotFound
from combine.records import Document
from combine.storage.core.database import ReadSession
from combine.storage.core.id_prefix import uuid_range
from combine.storage.core.rows import build, build_all, columns
from combine.storage.core.tables import documents, projects
from combine.storage.core.visibility import Visibility

_WITHOUT_CONTENT = sa.select(*(column for column in columns(documents, Document) if column.name != "content"))
_WHOLE = _WITHOUT_CONTENT.add_columns(
    sa.func.coalesce(documents.c.ordered_content, sa.cast(documents.c.content, JSON)).label("content"),
    documents.c.ordered_content.is_not(None).label("ordered"),
)


class Documents:
    """Every query about documents."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def get(self, document_id: UUID) -> Document:
        """Raises NotFound."""
        row = (await self._connection.execute(_WHOLE.where(documents.c.id == document_id))).first()
        if row is None:
            raise NotFound(f"There is no document {document_id}.", code="document_not_found")
        return build(Document, row)

    async def get_many(self, document_ids: Sequence[UUID]) -> tuple[Document, ...]:
        """The existing ones, in the order of the ids."""
        if not document_ids:
            return ()
        rows = await self._connection.execute(_WHOLE.where(documents.c.id.in_(document_ids)))
        found = {row.id: build(Document, row) for row in rows}
        return tuple(found[wanted] for wanted in document_ids if wanted in found)

    async def version(self, project_id: UUID, type_: str, version: int) -> Document:
        """One version by its number. Raises NotFound."""
        where = (documents.c.project_id == project_id, documents.c.type == type_, documents.c.version == version)
        row = (await self._connection.execute(_WHOLE.where(*where))).first()
        if row is None:
            raise NotFound(f"There is no version {version} of {type_} in this project.", code="document_not_found")
        return build(Document, row)

    async def versions(
        self, project_id: UUID, type_: str, *, before: int | None = None, limit: int = 10_000
    ) -> tuple[Document, ...]:
        """Versions of one document, newest first; ``before``: the number of the last one of the previous page."""
        query = _WITHOUT_CONTENT.where(documents.c.project_id == project_id, documents.c.type == type_)
        if before is not None:
            # numeric: a cursor may contain a number outside the range of the column
            query = query.where(documents.c.version < sa.literal(before, sa.BigInteger))
        query = query.order_by(documents.c.version.desc()).limit(limit)
        return build_all(Document, await self._connection.execute(query))

    async def list(
        self,
        visibility: Visibility,
        *,
        project_id: UUID | None = None,
        type_: str | None = None,
        not_type: str | None = None,
        status: str | None = None,
        execution_id: UUID | None = None,
        limit: int = 1000,
        before: tuple[datetime, UUID] | None = None,
    ) -> tuple[Document, ...]:
        """Visible documents that match all filters, newest first.

        ``before``: ``created_at`` and ``id`` of the last one of the previous page.
        """
        wanted = {"project_id": project_id, "type": type_, "status": status, "execution_id": execution_id}
        query = _WITHOUT_CONTENT.where(
            *(documents.c[name] == value for name, value in wanted.items() if value is not None)
        )
        query = query.where(visibility.of(documents.c.project_id))
        if not_type is not None:
            query = query.where(documents.c.type != not_type)
        if before is not None:
            query = query.where(sa.tuple_(documents.c.created_at, documents.c.id) < sa.tuple_(*map(sa.literal, before)))
        query = query.order_by(documents.c.created_at.desc(), documents.c.id.desc()).limit(limit)
        return build_all(Document, await self._connection.execute(query))

    async def projects_with(self, type_: str, visibility: Visibility) -> dict[UUID, str]:
        """Id -> name of the visible projects that have a version of that type."""
        # One index lookup per project, regardless of the number of versions.
        has_one = sa.exists().where(documents.c.project_id == projects.c.id, documents.c.type == type_)
        query = sa.select(projects.c.id, projects.c.name).where(visibility.of(projects.c.id), has_one)
        return {row.id: row.name for row in await self._connection.execute(query)}

    async def active(self, project_id: UUID, type_: str) -> Document | None:
        """The active version."""
        where = (documents.c.project_id == project_id, documents.c.type == type_)
        query = _WHOLE.where(*where, documents.c.status == DocumentStatus.ACTIVE)
        row = (await self._connection.execute(query.order_by(documents.c.version.desc()).limit(1))).first()
        return None if row is None else build(Document, row)

    async def newest(self, project_id: UUID, type_: str) -> Document | None:
        """The version with the highest number, whatever its status."""
        where = (documents.c.project_id == project_id, documents.c.type == type_)
        query = _WHOLE.where(*where).order_by(documents.c.version.desc()).limit(1)
        row = (await self._connection.execute(query)).first()
        return None if row is None else build(Document, row)

    async def find_by_prefix(self, text: str, visibility: Visibility) -> Document | None:
        """The visible version whose id starts with ``text``.

        Raises Invalid below four digits, Conflict if several match.
        """
        ids = uuid_range(text)
        if ids is None:
            return None
        seen = visibility.of(documents.c.project_id)
        query = _WHOLE.where(documents.c.id.between(*ids), seen).order_by(documents.c.created_at.desc()).limit(5)
        found = build_all(Document, await self._connection.execute(query))
        if len(found) > 1:
            names = ", ".join(f"{row.id} ({row.type} {row.version})" for row in found)
            raise Conflict(f"Several document IDs start with {text}: {names}.", code="document_id_ambiguous")
        return found[0] if found else None

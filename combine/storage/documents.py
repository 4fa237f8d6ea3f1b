"""Documents: immutable versions, and what counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.documents.ordering import content_sha256
from combine.documents.statuses import DocumentStatus
from combine.errors import Conflict, NotFound
from combine.storage.core.database import ReadSession
from combine.storage.core.id_prefix import uuid_range
from combine.storage.core.rows import build, build_all, columns
from combine.storage.core.tables import documents, projects
from combine.storage.core.visibility import Visibility


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A version to be stored. The id is made before the transaction, so that storing it twice stores it once."""

    id: UUID
    project_id: UUID
    type: str
    content: Mapping[str, Any]
    status: str
    origin: str
    execution_id: UUID | None = None
    step_id: str | None = None
    revision: int | None = None
    attempt: int | None = None
    call_ids: Sequence[UUID] = ()
    input_ids: Sequence[UUID] = ()
    prompt_sha256: str | None = None
    assets: Mapping[str, str] = field(default_factory=dict)
    """Prompt files and schema that made it -> SHA-256."""
    model: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """A stored version without its content."""

    id: UUID
    project_id: UUID
    type: str
    version: int
    status: str
    content_sha256: str
    origin: str
    execution_id: UUID | None
    step_id: str | None
    revision: int | None
    attempt: int | None
    call_ids: Sequence[UUID]
    input_ids: Sequence[UUID]
    prompt_sha256: str | None
    assets: Mapping[str, str]
    model: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DocumentRow(DocumentInfo):
    """A stored version."""

    content: Mapping[str, Any]


_ROW = sa.select(*columns(documents, DocumentRow))
_INFO = sa.select(*columns(documents, DocumentInfo))


class Documents:
    """Every query about documents."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def insert_version(self, new: NewDocument) -> int:
        """Store the next version of its type in its project and return its number.

        Two writers at once may want the same number; the loser's transaction is run again by ``Database.transact``.
        """
        highest = (
            sa.select(sa.func.coalesce(sa.func.max(documents.c.version), 0) + 1)
            .where(documents.c.project_id == new.project_id, documents.c.type == new.type)
            .scalar_subquery()
        )
        values = {name: getattr(new, name) for name in NewDocument.__slots__}
        values |= {"call_ids": list(new.call_ids), "input_ids": list(new.input_ids)}
        statement = insert(documents).values(**values, content_sha256=content_sha256(new.content), version=highest)
        stored = await self._connection.execute(
            statement.on_conflict_do_nothing(index_elements=["id"]).returning(documents.c.version)
        )
        version = stored.scalar()
        return int(version) if version is not None else (await self.get(new.id)).version

    async def get(self, document_id: UUID) -> DocumentRow:
        """Raises NotFound."""
        row = (await self._connection.execute(_ROW.where(documents.c.id == document_id))).first()
        if row is None:
            raise NotFound(f"There is no document {document_id}.", code="document_not_found")
        return build(DocumentRow, row)

    async def get_many(self, document_ids: Sequence[UUID]) -> tuple[DocumentRow, ...]:
        """Those that exist, in the order asked for."""
        if not document_ids:
            return ()
        rows = await self._connection.execute(_ROW.where(documents.c.id.in_(document_ids)))
        found = {row.id: build(DocumentRow, row) for row in rows}
        return tuple(found[wanted] for wanted in document_ids if wanted in found)

    async def version(self, project_id: UUID, type_: str, version: int) -> DocumentRow:
        """One version by its number. Raises NotFound."""
        where = (documents.c.project_id == project_id, documents.c.type == type_, documents.c.version == version)
        row = (await self._connection.execute(_ROW.where(*where))).first()
        if row is None:
            raise NotFound(f"There is no version {version} of {type_} in this project.", code="document_not_found")
        return build(DocumentRow, row)

    async def versions(
        self, project_id: UUID, type_: str, *, before: int | None = None, limit: int = 10_000
    ) -> tuple[DocumentInfo, ...]:
        """Versions of one document, the newest first; ``before``: the number of the last one of the page before."""
        query = _INFO.where(documents.c.project_id == project_id, documents.c.type == type_)
        if before is not None:
            # As any number: a cursor may hold one that no version can have.
            query = query.where(documents.c.version < sa.literal(before, sa.BigInteger))
        query = query.order_by(documents.c.version.desc()).limit(limit)
        return build_all(DocumentInfo, await self._connection.execute(query))

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
    ) -> tuple[DocumentInfo, ...]:
        """What may be seen and matches all that is given, the newest first.

        ``before``: ``created_at`` and ``id`` of the last one of the page before.
        """
        wanted = {"project_id": project_id, "type": type_, "status": status, "execution_id": execution_id}
        query = _INFO.where(*(documents.c[name] == value for name, value in wanted.items() if value is not None))
        query = query.where(visibility.of(documents.c.project_id))
        if not_type is not None:
            query = query.where(documents.c.type != not_type)
        if before is not None:
            query = query.where(sa.tuple_(documents.c.created_at, documents.c.id) < sa.tuple_(*map(sa.literal, before)))
        query = query.order_by(documents.c.created_at.desc(), documents.c.id.desc()).limit(limit)
        return build_all(DocumentInfo, await self._connection.execute(query))

    async def projects_with(self, type_: str, visibility: Visibility) -> dict[UUID, str]:
        """Id -> name of the projects that may be seen and have a version of that type."""
        # Goes by the index, once per project, however many versions there are.
        has_one = sa.exists().where(documents.c.project_id == projects.c.id, documents.c.type == type_)
        query = sa.select(projects.c.id, projects.c.name).where(visibility.of(projects.c.id), has_one)
        return {row.id: row.name for row in await self._connection.execute(query)}

    async def active(self, project_id: UUID, type_: str) -> DocumentRow | None:
        """The version that counts."""
        where = (documents.c.project_id == project_id, documents.c.type == type_)
        query = _ROW.where(*where, documents.c.status == DocumentStatus.ACTIVE)
        row = (await self._connection.execute(query.order_by(documents.c.version.desc()).limit(1))).first()
        return None if row is None else build(DocumentRow, row)

    async def newest(self, project_id: UUID, type_: str) -> DocumentRow | None:
        """The version with the highest number, whatever it counts for."""
        where = (documents.c.project_id == project_id, documents.c.type == type_)
        query = _ROW.where(*where).order_by(documents.c.version.desc()).limit(1)
        row = (await self._connection.execute(query)).first()
        return None if row is None else build(DocumentRow, row)

    async def find_by_prefix(self, text: str, visibility: Visibility) -> DocumentRow | None:
        """The version that may be seen and whose id begins with ``text``.

        Raises Invalid below four digits, Conflict when several do.
        """
        ids = uuid_range(text)
        if ids is None:
            return None
        seen = visibility.of(documents.c.project_id)
        query = _ROW.where(documents.c.id.between(*ids), seen).order_by(documents.c.created_at.desc()).limit(5)
        found = build_all(DocumentRow, await self._connection.execute(query))
        if len(found) > 1:
            names = ", ".join(f"{row.id} ({row.type} {row.version})" for row in found)
            raise Conflict(f"Several documents begin with {text}: {names}.", code="document_id_ambiguous")
        return found[0] if found else None

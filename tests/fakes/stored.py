"""A project's executions and documents in the tables, written by the product's own statements."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from uuid import UUID, uuid4

import sqlalchemy as sa

from combine.brief.reading import split_brief
from combine.documents.ordering import content_sha256
from combine.documents.statuses import DocumentStatus, ExecutionStatus
from combine.records import Document, Execution
from combine.storage.core.database import WriteSession
from combine.storage.hot.claim import Claim
from combine.storage.hot.journal import Journal
from combine.storage.hot.starting import store_start
from combine.workflows.catalog import load_catalog
from combine.workflows.definitions import WorkflowDefinition
from combine.workflows.models import ModelRef

ANYBODY = Claim("SELECT 1", {})
"""A claim that every process holds."""


@cache
def seed_workflow() -> WorkflowDefinition:
    return load_catalog(None).workflow("strategy-document")


async def store_execution(session: WriteSession, project: str) -> UUID:
    """A new execution of the seed workflow; the project is made if there is none of that name."""
    new = an_execution(uuid4(), uuid4(), project=project)
    await store_start(session, new, split_brief("Sell bread."))
    return new.id


def an_execution(project_id: UUID, brief_id: UUID, **changes) -> Execution:
    """One that is not stored yet."""
    now = datetime.now(UTC)
    given = {"id": uuid4(), "project": "", "workflow": seed_workflow(), "model": ModelRef("offline", "")}
    given |= {"status": ExecutionStatus.QUEUED, "created_at": now, "updated_at": now}
    return Execution(project_id=project_id, brief_id=brief_id, **(given | changes))


def a_document(project_id: UUID, execution_id: UUID, type_: str, content: Mapping, **changes) -> Document:
    """A version that is not stored yet."""
    made_by = next((step.step_id for step in seed_workflow().steps if step.output == type_), "requirements")
    given = {"id": uuid4(), "version": 0, "status": DocumentStatus.DRAFT, "origin": "model", "step_id": made_by}
    given |= {"revision": 0, "attempt": 1, "prompt_sha256": "0", "created_at": datetime.now(UTC)}
    given |= {"content_sha256": content_sha256(content)}
    return Document(project_id=project_id, execution_id=execution_id, type=type_, content=content, **(given | changes))


async def save_document(session: WriteSession, document: Document, **after) -> int | None:
    """Save it as its step does; ``after``: columns that come to stand otherwise later on, such as ``status``."""
    number = await Journal(session).save_document(ANYBODY, document, replaces=None, step_status="done")
    for name, value in after.items():
        statement = f"UPDATE documents SET {name} = :value WHERE id = :id"  # a name of this tree's own tests
        await session.connection.execute(sa.text(statement), {"value": value, "id": document.id})
    return number

"""Documents: lists, versions, differences and exports."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from combine.auth.permissions import Actor
from combine.brief.brief import BRIEF_TYPE, Brief, brief_from_json
from combine.checks import unused_sentences
from combine.documents.diff import diff_briefs, diff_documents
from combine.documents.findings import Finding, FindingKind
from combine.documents.markdown import MarkdownInput, render_markdown
from combine.documents.statuses import DocumentStatus
from combine.errors import Conflict, NotFound
from combine.execution.review_loop import read_findings
from combine.records import Document
from combine.services.access import Access
from combine.services.views import DocumentChanges, DocumentDetail, DocumentExport, DocumentView, view
from combine.storage.core.database import Database, ReadSession
from combine.storage.documents import Documents
from combine.storage.executions import Executions
from combine.storage.findings import Findings
from combine.storage.key_order import in_order
from combine.storage.projects import Projects
from combine.storage.questions import Questions
from combine.storage.steps import Steps
from combine.workflows.catalog import Catalog


@dataclass(frozen=True, slots=True)
class _Line:
    """The versions of one document."""

    project_id: UUID
    project: str
    type: str
    version: int | None
    """The version that was requested by its id."""


class DocumentService:
    """Reads only, and only what its actor may see. One public method is one transaction."""

    def __init__(self, database: Database, catalog: Catalog, *, actor: Actor) -> None:
        self._database = database
        self._catalog = catalog
        self._access = Access(actor)

    async def list(
        self,
        project: str | UUID | None = None,
        document_type: str | None = None,
        status: DocumentStatus | None = None,
        limit: int = 200,
        before: tuple[datetime, UUID] | None = None,
    ) -> tuple[DocumentView, ...]:
        """Versions, newest first, without briefs unless requested. Raises NotFound for an unknown project.

        ``before``: ``created_at`` and ``id`` of the last one of the previous page.
        """
        async with self._database.read() as session:
            project_id = None if project is None else (await self._access.project(session, project)).id
            rows = await Documents(session).list(
                self._access.visibility,
                project_id=project_id,
                type_=document_type,
                not_type=BRIEF_TYPE if document_type is None else None,
                status=status,
                limit=limit,
                before=before,
            )
            names = await Projects(session).names({row.project_id for row in rows})
            return tuple(view(DocumentView, row, project=names[row.project_id]) for row in rows)

    async def get(self, wanted: str, project: str | UUID | None = None, version: int | None = None) -> DocumentDetail:
        """One version, by the start of its id or by its type.

        By type: the version with that number, else the active one, else the newest. Without ``project`` the type must
        exist in one project only. Raises NotFound, Conflict.
        """
        async with self._database.read() as session:
            row, name = await self._find(session, wanted, project, version)
            return self._detail(row, name)

    async def versions(
        self, wanted: str, project: str | UUID | None = None, *, before: int | None = None, limit: int = 1000
    ) -> tuple[DocumentView, ...]:
        """All versions of one document, newest first, by its type or the id of any of them.

        ``before``: the number of the last one of the previous page. Raises NotFound, Conflict.
        """
        async with self._database.read() as session:
            line = await self._line(session, wanted, project)
            rows = await Documents(session).versions(line.project_id, line.type, before=before, limit=limit)
            return tuple(view(DocumentView, row, project=line.project) for row in rows)

    async def diff(
        self, wanted: str, project: str | UUID | None = None, old: int | None = None, new: int | None = None
    ) -> DocumentChanges:
        """What changed from version ``old`` to version ``new`` of a document, by its type or the id of a version.

        ``new`` defaults to the version with that id, or to the newest of the type; ``old`` to the one before ``new``.
        Raises NotFound, also if there is only one version.
        """
        async with self._database.read() as session:
            line = await self._line(session, wanted, project)
            documents = Documents(session)
            numbers = [row.version for row in await documents.versions(line.project_id, line.type)]
            first, second = _pair(line.type, numbers, old, new or line.version)
            before = await documents.version(line.project_id, line.type, first)
            after = await documents.version(line.project_id, line.type, second)
            compare = diff_briefs if line.type == BRIEF_TYPE else diff_documents
            diff = compare(self._content(before), self._content(after))
            return DocumentChanges(
                view(DocumentView, before, project=line.project), view(DocumentView, after, project=line.project), diff
            )

    async def export(
        self, wanted: str, project: str | UUID | None = None, version: int | None = None
    ) -> DocumentExport:
        """One version as JSON and as Markdown; found as ``get`` finds it."""
        async with self._database.read(one_moment=True) as session:
            row, name = await self._find(session, wanted, project, version)
            markdown = await _Page(session, self._catalog, row, name).render()
            text = json.dumps(self._content(row), ensure_ascii=False, indent=2) + "\n"
            return DocumentExport(view(DocumentView, row, project=name), text, markdown)

    async def _find(
        self, session: ReadSession, wanted: str, project: str | UUID | None, version: int | None
    ) -> tuple[Document, str]:
        documents = Documents(session)
        if version is None and (found := await self._by_id(session, wanted, project)) is not None:
            return found, (await Projects(session).get(found.project_id)).name
        project_id, name = await self._project_with(session, wanted, project)
        if version is not None:
            return await documents.version(project_id, wanted, version), name
        row = await documents.active(project_id, wanted) or await documents.newest(project_id, wanted)
        if row is None:
            raise _no_document(wanted, name)
        return row, name

    async def _line(self, session: ReadSession, wanted: str, project: str | UUID | None) -> _Line:
        found = await self._by_id(session, wanted, project)
        if found is not None:
            name = (await Projects(session).get(found.project_id)).name
            return _Line(found.project_id, name, found.type, found.version)
        project_id, name = await self._project_with(session, wanted, project)
        return _Line(project_id, name, wanted, None)

    async def _by_id(self, session: ReadSession, wanted: str, project: str | UUID | None) -> Document | None:
        """The version with that id; None if ``wanted`` is, or with a project may be, a type."""
        types = (*self._catalog.document_types(), BRIEF_TYPE)
        if wanted in types:
            return None
        found = await Documents(session).find_by_prefix(wanted, self._access.visibility)
        if found is None and project is None:
            raise NotFound(
                f"There is no document {wanted!r}.",
                code="document_not_found",
                hint=f"Use its ID (`combine docs list` shows them) or its type: {', '.join(types)}.",
            )
        return found

    async def _project_with(
        self, session: ReadSession, document_type: str, project: str | UUID | None
    ) -> tuple[UUID, str]:
        if project is not None:
            row = await self._access.project(session, project)
            return row.id, row.name
        found = await Documents(session).projects_with(document_type, self._access.visibility)
        if not found:
            raise _no_document(document_type, None)
        if len(found) > 1:
            raise Conflict(
                f"{len(found)} projects have a {document_type} document: {', '.join(sorted(found.values()))}.",
                code="project_needed",
                hint="Choose one with --project.",
            )
        return next(iter(found.items()))

    def _detail(self, row: Document, project: str) -> DocumentDetail:
        return view(DocumentDetail, row, document=view(DocumentView, row, project=project), content=self._content(row))

    def _content(self, row: Document) -> Mapping[str, Any]:
        return in_order(row, self._catalog).content


class _Page:
    """Collects what a document's pages show in addition to its content."""

    def __init__(self, session: ReadSession, catalog: Catalog, row: Document, project: str) -> None:
        self._session = session
        self._catalog = catalog
        self._row = row
        self._project = project

    async def render(self) -> str:
        row = self._row
        if row.type == BRIEF_TYPE:
            return str(row.content["text"])
        inputs = await Documents(self._session).get_many(row.input_ids)
        brief = next((brief_from_json(one.content) for one in inputs if one.type == BRIEF_TYPE), Brief("", "en", ()))
        upstream = {one.type: in_order(one, self._catalog).content for one in inputs if one.type != BRIEF_TYPE}
        schema = _schema(self._catalog, row.type)
        workflow, findings, unused = await self._execution_facts(brief)
        answers = () if row.execution_id is None else await Questions(self._session).list(row.execution_id)
        return render_markdown(
            MarkdownInput(
                type=row.type,
                version=row.version,
                status=DocumentStatus(row.status),
                content=in_order(row, self._catalog).content,
                schema=schema,
                project=self._project,
                workflow=workflow,
                model=row.model or row.origin,
                created_at=row.created_at,
                execution_id=str(row.execution_id or ""),
                brief=brief,
                answers=tuple(one.settled for one in answers if one.settled is not None),
                upstream=upstream,
                offline=row.origin == "offline",
                findings=findings,
                unused_sentences=unused,
            )
        )

    async def _execution_facts(self, brief: Brief) -> tuple[str, tuple[Finding, ...], tuple[str, ...] | None]:
        """Workflow name, open findings on this version, brief sentences that were not used (None: not known yet)."""
        row = self._row
        if row.execution_id is None:
            return "", (), None
        execution = await Executions(self._session).get(row.execution_id)
        workflow = execution.workflow
        steps = await Steps(self._session).list(execution.id)
        made = [step.document_id for step in steps if step.document_id is not None]
        current = await Documents(self._session).get_many(made)
        final = {step.output for step in workflow.steps if step.is_final}
        reviews = [one for one in current if one.type in final]
        findings = await self._own_findings() + _said_by(reviews, row)
        unused = unused_sentences(brief, [one.content for one in current]) if reviews else None
        return workflow.name, findings, unused

    async def _own_findings(self) -> tuple[Finding, ...]:
        """Findings of the code checks that a person accepted anyway."""
        row = self._row
        assert row.execution_id is not None  # a document without an execution was not checked
        assert row.step_id is not None
        return tuple(
            found
            for found in await Findings(self._session).of_step(row.execution_id, row.step_id)
            if (found.revision, found.attempt) == (row.revision, row.attempt) and found.kind is FindingKind.MECHANICAL
        )


def _said_by(reviews: Sequence[Document], row: Document) -> tuple[Finding, ...]:
    """Findings of reviews that read this version."""
    return tuple(
        finding
        for review in reviews
        if row.id in review.input_ids
        for finding in read_findings(review.content)
        if finding.document == row.type
    )


def _schema(catalog: Catalog, document_type: str) -> Mapping[str, Any]:
    """The type of an old document may no longer be in the catalog; its keys are then sorted by name."""
    return catalog.schema(document_type).schema if document_type in catalog.document_types() else {}


def _pair(document_type: str, numbers: Sequence[int], old: int | None, new: int | None) -> tuple[int, int]:
    if not numbers:
        raise _no_document(document_type, None)
    second = numbers[0] if new is None else new
    if old is not None:
        return old, second
    earlier = [number for number in numbers if number < second]
    if not earlier:
        raise NotFound(
            f"{document_type} has no version before {second} to compare with.",
            code="version_not_found",
            hint="Run the brief again in the same project to make another version.",
        )
    return max(earlier), second


def _no_document(document_type: str, project: str | None) -> NotFound:
    where = "" if project is None else f" in the project {project!r}"
    return NotFound(
        f"There is no document {document_type!r}{where}.",
        code="document_not_found",
        hint="`combine docs list` shows all documents.",
    )

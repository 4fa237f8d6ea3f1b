"""Documents: lists, versions, diffs, exports. A version never changes, so it has an ETag."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from combine.api.answers import answer, cached_answer, cached_view, tag_of, tagged_answer, unchanged
from combine.api.application import AS_A_FILE, TAGGED
from combine.api.caller import TheServices, TheShell
from combine.api.errors import responses
from combine.api.paging import Page, PageQuery, cursor_of, position_of
from combine.api.requests import DocumentId, IntegerText, ProjectFilter, ProjectOfType, id_or_name
from combine.documents.statuses import DocumentStatus
from combine.services.views import DocumentChanges, DocumentDetail, DocumentView

router: Final = APIRouter(prefix="/api/v1/documents", tags=["documents"], responses=responses(401))

TypeFilter = Annotated[str | None, Query(alias="type", min_length=1, max_length=100, description="Filter by type.")]
VersionQuery = Annotated[
    int | None,
    Query(ge=1, le=2**31 - 1, description="If the path names a document type: its version. Default: current."),
    IntegerText,
]


class Form(StrEnum):
    """Export formats."""

    JSON = "json"
    MARKDOWN = "md"
    HTML = "html"


_MEDIA_TYPES: Final = {
    Form.JSON: "application/json",
    Form.MARKDOWN: "text/markdown; charset=utf-8",
    Form.HTML: "text/html; charset=utf-8",
}


@router.get("", response_model=Page[DocumentView], responses=responses(404))
async def list_(
    services: TheServices,
    page: PageQuery,
    project: ProjectFilter = None,
    document_type: TypeFilter = None,
    status: Annotated[DocumentStatus | None, Query(description="Filter by status.")] = None,
) -> Response:
    """Document versions, newest first. Briefs are listed only with ``type=brief``."""
    before = position_of(page.cursor, datetime, UUID)
    views = await services.documents.list(id_or_name(project), document_type, status, page.limit + 1, before)
    return answer(Page[DocumentView], Page.of(views, page.limit, lambda one: cursor_of(one.created_at, one.id)))


@router.get("/{document_id}", response_model=DocumentDetail, responses={**TAGGED, **responses(404, 409)})
async def show(
    document_id: DocumentId,
    request: Request,
    services: TheServices,
    project: ProjectOfType = None,
    version: VersionQuery = None,
) -> Response:
    """One version with its content and provenance."""
    return cached_view(request, DocumentDetail, await services.documents.get(document_id, id_or_name(project), version))


@router.get("/{document_id}/versions", response_model=Page[DocumentView], responses=responses(404, 409))
async def versions(
    document_id: DocumentId, services: TheServices, page: PageQuery, project: ProjectOfType = None
) -> Response:
    """All versions of the document, newest first."""
    before = position_of(page.cursor, int)
    views = await services.documents.versions(
        document_id,
        id_or_name(project),
        before=None if before is None else before[0],
        limit=page.limit + 1,
    )
    return answer(Page[DocumentView], Page.of(views, page.limit, lambda one: cursor_of(one.version)))


@router.get("/{document_id}/diff", response_model=DocumentChanges, responses=responses(404, 409))
async def diff(
    document_id: DocumentId,
    services: TheServices,
    project: ProjectOfType = None,
    old: Annotated[
        int | None,
        Query(ge=1, le=2**31 - 1, description="Default: the version before `new`."),
        IntegerText,
    ] = None,
    new: Annotated[
        int | None,
        Query(ge=1, le=2**31 - 1, description="Default: the version in the path; for a document type, the newest."),
        IntegerText,
    ] = None,
) -> Response:
    """The differences between two versions, item by item."""
    return answer(DocumentChanges, await services.documents.diff(document_id, id_or_name(project), old=old, new=new))


@router.get(
    "/{document_id}/export",
    response_class=Response,
    response_model=None,
    responses={
        **TAGGED,
        200: {
            "description": "The file.",
            "content": {kind.partition(";")[0]: {} for kind in _MEDIA_TYPES.values()},
            "headers": {**TAGGED[200]["headers"], **AS_A_FILE},
        },
        **responses(404, 409),
    },
)
async def export(
    document_id: DocumentId,
    request: Request,
    services: TheServices,
    shell: TheShell,
    *,
    form: Annotated[Form, Query(alias="format")] = Form.MARKDOWN,
    project: ProjectOfType = None,
    version: VersionQuery = None,
) -> Response:
    """One version as a file: JSON exactly as stored, Markdown, or a standalone HTML page."""
    found = await services.documents.export(document_id, id_or_name(project), version)
    name = f"{found.document.type}-{found.document.version}.{form}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Document-Id": str(found.document.id),
    }
    if form is Form.HTML:  # the tag is computed from the inputs, because rendering is slow
        tag = tag_of(found.html_key.encode())
        same = unchanged(request, tag, headers)
        return same or tagged_answer(tag, await shell.pages.page(found), _MEDIA_TYPES[form], headers)
    text = found.json_text if form is Form.JSON else found.markdown
    return cached_answer(request, text.encode(), _MEDIA_TYPES[form], headers)

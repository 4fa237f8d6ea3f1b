"""Documents: lists, versions, differences, exports. They never change, so they carry an ETag."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from combine.api.answers import answer, cached_answer, cached_view, tag_of, tagged_answer, unchanged
from combine.api.caller import TheServices
from combine.api.errors import responses
from combine.api.fields import Digits
from combine.api.names import DocumentId, ProjectAsked, ProjectOfType, project_named
from combine.api.openapi import AS_A_FILE, TAGGED
from combine.api.paging import Page, PageAsked, cursor_of, position
from combine.api.shell import TheShell
from combine.documents.statuses import DocumentStatus
from combine.services.documents import DocumentChanges, DocumentDetail
from combine.services.views import DocumentView

router: Final = APIRouter(prefix="/api/v1/documents", tags=["documents"], responses=responses(401))

DocumentType = Annotated[
    str | None, Query(alias="type", min_length=1, max_length=100, description="Only of this type.")
]
Version = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="Of a type: not the one that counts, but this."), Digits
]


class Form(StrEnum):
    """The forms a document leaves in."""

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
    page: PageAsked,
    project: ProjectAsked = None,
    document_type: DocumentType = None,
    status: Annotated[DocumentStatus | None, Query(description="Only those in this status.")] = None,
) -> Response:
    """Versions, the newest first; briefs only with ``type=brief``."""
    before = position(page.cursor, datetime, UUID)
    views = await services.documents.list(project_named(project), document_type, status, page.limit + 1, before)
    return answer(Page[DocumentView], Page.of(views, page.limit, lambda one: cursor_of(one.created_at, one.id)))


@router.get("/{document_id}", response_model=DocumentDetail, responses={**TAGGED, **responses(404, 409)})
async def show(
    document_id: DocumentId,
    request: Request,
    services: TheServices,
    project: ProjectOfType = None,
    version: Version = None,
) -> Response:
    """One version with its content and where it comes from."""
    return cached_view(
        request, DocumentDetail, await services.documents.get(document_id, project_named(project), version)
    )


@router.get("/{document_id}/versions", response_model=Page[DocumentView], responses=responses(404, 409))
async def versions(
    document_id: DocumentId, services: TheServices, page: PageAsked, project: ProjectOfType = None
) -> Response:
    """All versions of that document, the newest first."""
    before = position(page.cursor, int)
    views = await services.documents.versions(
        document_id,
        project_named(project),
        before=None if before is None else before[0],
        limit=page.limit + 1,
    )
    return answer(Page[DocumentView], Page.of(views, page.limit, lambda one: cursor_of(one.version)))


@router.get("/{document_id}/diff", response_model=DocumentChanges, responses=responses(404, 409))
async def diff(
    document_id: DocumentId,
    services: TheServices,
    project: ProjectOfType = None,
    old: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="None: the version before."), Digits] = None,
    new: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="None: this one; of a type, the newest."), Digits
    ] = None,
) -> Response:
    """What changed between two versions, item by item."""
    return answer(DocumentChanges, await services.documents.diff(document_id, project_named(project), old=old, new=new))


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
    version: Version = None,
) -> Response:
    """One version as a file: its content exactly as stored, or a page a client could read."""
    found = await services.documents.export(document_id, project_named(project), version)
    name = f"{found.document.type}-{found.document.version}.{form}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Document-Id": str(found.document.id),
    }
    if form is Form.HTML:  # of what it is made from, as making it takes long
        tag = tag_of(found.html_key.encode())
        same = unchanged(request, tag, headers)
        return same or tagged_answer(tag, await shell.pages.page(found), _MEDIA_TYPES[form], headers)
    text = found.json_text if form is Form.JSON else found.markdown
    return cached_answer(request, text.encode(), _MEDIA_TYPES[form], headers)

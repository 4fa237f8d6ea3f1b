"""Workflows and the JSON Schemas of their documents."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from combine.api.answers import answer, cached_view
from combine.api.application import TAGGED
from combine.api.caller import TheServices
from combine.api.errors import responses
from combine.api.paging import Page, PageQuery, cursor_of, position_of
from combine.services.definitions import WorkflowDetail, WorkflowView

router: Final = APIRouter(prefix="/api/v1/workflows", tags=["workflows"], responses=responses(401))

WorkflowId = Annotated[str, Path(min_length=1, max_length=100, examples=["strategy-document"])]
DocumentTypePath = Annotated[str, Path(min_length=1, max_length=100, examples=["requirements-doc"])]


@router.get("", response_model=Page[WorkflowView])
async def list_(services: TheServices, page: PageQuery) -> Response:
    """Workflows, sorted by ID."""
    after = position_of(page.cursor, str)
    views = [one for one in services.workflows.list() if after is None or one.workflow_id > after[0]]
    return answer(Page[WorkflowView], Page.of(views, page.limit, lambda one: cursor_of(one.workflow_id)))


@router.get("/{workflow_id}", response_model=WorkflowDetail, responses=responses(404))
async def show(workflow_id: WorkflowId, services: TheServices) -> Response:
    """One workflow with its definition."""
    return answer(WorkflowDetail, services.workflows.get(workflow_id))


@router.get(
    "/{workflow_id}/schemas/{document_type}",
    response_model=dict[str, Any],
    responses={**TAGGED, **responses(404)},
)
async def schema(
    workflow_id: WorkflowId, document_type: DocumentTypePath, request: Request, services: TheServices
) -> Response:
    """The JSON Schema (2020-12) that documents of this type are validated against."""
    return cached_view(request, dict[str, Any], dict(services.workflows.schema(workflow_id, document_type)))

"""Costs of calls, and estimates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from combine.api.answers import answer
from combine.api.caller import TheServices, TheShell
from combine.api.errors import responses
from combine.api.executions import brief_of
from combine.api.requests import BodyRoute, BriefText, Day, Model, Name, ProjectFilter, RequestBody, id_or_name
from combine.documents.statuses import GroupBy
from combine.services.views import CostReport, EstimateView

router: Final = APIRouter(prefix="/api/v1", tags=["costs"], responses=responses(401), route_class=BodyRoute)


class EstimateBody(RequestBody):
    """What to estimate."""

    checked_later = frozenset({"brief"})
    workflow_id: Name = "strategy-document"
    brief: BriefText
    model: Model | None = None


@router.get("/costs", response_model=CostReport, responses=responses(404))
async def costs(
    services: TheServices,
    group_by: Annotated[GroupBy, Query(description="How to group the totals.")] = GroupBy.DAY,
    project: ProjectFilter = None,
    since: Annotated[Day | None, Query(description="Only calls on or after this day (UTC).")] = None,
) -> Response:
    """Totals of tokens and cost. Calls in flight, of unknown outcome or of unknown price are listed separately."""
    begin = None if since is None else datetime(since.year, since.month, since.day, tzinfo=UTC)
    return answer(CostReport, await services.costs.report(group_by, id_or_name(project), begin))


@router.post("/estimates", response_model=EstimateView, responses=responses(403, 404))
async def estimate(body: EstimateBody, services: TheServices, shell: TheShell) -> Response:
    """Estimate the range of tokens and cost for a brief. Starts nothing and calls no model."""
    model = body.model or shell.serving.default_model
    return answer(EstimateView, await services.estimates.estimate(await brief_of(body.brief), body.workflow_id, model))

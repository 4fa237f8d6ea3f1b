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
from combine.services.costs import CostReport, GroupBy
from combine.services.estimates import EstimateView

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
    group_by: Annotated[GroupBy, Query(description="How to group the sums.")] = GroupBy.DAY,
    project: ProjectFilter = None,
    since: Annotated[Day | None, Query(description="Only calls on or after this day (UTC).")] = None,
) -> Response:
    """Sums over calls: tokens and cost; separately what is reserved, has an unknown outcome or no known price."""
    begin = None if since is None else datetime(since.year, since.month, since.day, tzinfo=UTC)
    return answer(CostReport, await services.costs.report(group_by, id_or_name(project), begin))


@router.post("/estimates", response_model=EstimateView, responses=responses(403, 404))
async def estimate(body: EstimateBody, services: TheServices, shell: TheShell) -> Response:
    """The range of tokens and cost to expect for a brief. Nothing is started, and no model is called."""
    model = body.model or shell.serving.default_model
    return answer(EstimateView, await services.estimates.estimate(await brief_of(body.brief), body.workflow_id, model))

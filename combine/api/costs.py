"""What was spent, and what a start may cost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from combine.api.answers import answer
from combine.api.bodies import Body
from combine.api.caller import TheServices
from combine.api.errors import responses
from combine.api.executions import brief_of
from combine.api.fields import BriefText, Day, Model, Name
from combine.api.names import ProjectAsked, project_named
from combine.api.reading import BodyRoute
from combine.api.shell import TheShell
from combine.services.costs import CostReport, GroupBy
from combine.services.estimates import EstimateView

router: Final = APIRouter(prefix="/api/v1", tags=["costs"], responses=responses(401), route_class=BodyRoute)


class EstimateBody(Body):
    """What would be started."""

    workflow_id: Name = "strategy-document"
    brief: BriefText
    model: Model | None = None


@router.get("/costs", response_model=CostReport, responses=responses(404))
async def costs(
    services: TheServices,
    group_by: Annotated[GroupBy, Query(description="What to add up.")] = GroupBy.DAY,
    project: ProjectAsked = None,
    since: Annotated[Day | None, Query(description="From this day (UTC).")] = None,
) -> Response:
    """Calls added up: tokens, money, and apart what is reserved, unknown or without a price."""
    begin = None if since is None else datetime(since.year, since.month, since.day, tzinfo=UTC)
    return answer(CostReport, await services.costs.report(group_by, project_named(project), begin))


@router.post("/estimates", response_model=EstimateView, responses=responses(403, 404))
async def estimate(body: EstimateBody, services: TheServices, shell: TheShell) -> Response:
    """Tokens and money that an execution of this brief may take, as a range; nothing is started and nothing asked."""
    model = body.model or shell.serving.default_model
    return answer(EstimateView, await services.estimates.estimate(await brief_of(body.brief), body.workflow_id, model))

"""Projects, their members and invitations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Response

from combine.api.answers import answer
from combine.api.application import LOCATION
from combine.api.caller import TheServices
from combine.api.errors import responses
from combine.api.paging import Page, PageQuery, cursor_of, position_of
from combine.api.requests import BodyRoute, EmailText, ProjectName, RequestBody, UsdInput
from combine.auth.permissions import ProjectRole
from combine.errors import NotFound
from combine.services.people_views import AuditView, InvitationView, MemberView
from combine.services.views import ProjectView

router: Final = APIRouter(prefix="/api/v1/projects", tags=["projects"], responses=responses(401), route_class=BodyRoute)


class NewProjectBody(RequestBody):
    """The project to create."""

    name: ProjectName
    """Unique in the installation."""
    budget_usd: UsdInput | None = None
    """Maximum total cost of all its executions."""


class ProjectBody(RequestBody):
    """Changes to a project."""

    budget_usd: UsdInput | None
    """Maximum total cost of all its executions; null removes the cap."""


class RoleBody(RequestBody):
    """The member's new role."""

    role: ProjectRole


class InviteBody(RequestBody):
    """Whom to invite, and with which role."""

    email: EmailText
    role: ProjectRole = ProjectRole.VIEWER


@router.post(
    "",
    status_code=201,
    response_model=ProjectView,
    responses={201: {"headers": LOCATION}, **responses(403, 409)},
)
async def create(body: NewProjectBody, services: TheServices) -> Response:
    """Create a project. The caller becomes its owner."""
    view = await services.projects.create(body.name, body.budget_usd)
    return answer(ProjectView, view, status=201, headers={"Location": f"/api/v1/projects/{view.id}"})


@router.get("", response_model=Page[ProjectView])
async def list_(
    services: TheServices,
    page: PageQuery,
    name: Annotated[str | None, Query(max_length=120, description="Filter by exact name.")] = None,
) -> Response:
    """Projects, sorted by name."""
    if name is not None:
        try:
            return answer(Page[ProjectView], Page((await services.projects.get(name),), None))
        except NotFound:
            return answer(Page[ProjectView], Page((), None))
    after = position_of(page.cursor, str)
    views = await services.projects.list(after=None if after is None else after[0], limit=page.limit + 1)
    return answer(Page[ProjectView], Page.of(views, page.limit, lambda view: cursor_of(view.name)))


@router.get("/{project_id}", response_model=ProjectView, responses=responses(404))
async def show(project_id: UUID, services: TheServices) -> Response:
    """One project."""
    return answer(ProjectView, await services.projects.get(project_id))


@router.patch("/{project_id}", response_model=ProjectView, responses=responses(403, 404))
async def change(project_id: UUID, body: ProjectBody, services: TheServices) -> Response:
    """Set or remove the project's cap."""
    return answer(ProjectView, await services.projects.set_budget(project_id, body.budget_usd))


@router.get("/{project_id}/members", response_model=Page[MemberView], responses=responses(404))
async def members(project_id: UUID, services: TheServices, page: PageQuery) -> Response:
    """The project's members and their roles."""
    before = position_of(page.cursor, datetime, UUID)
    views = await services.members.list(project_id, after=before, limit=page.limit + 1)
    return answer(Page[MemberView], Page.of(views, page.limit, lambda one: cursor_of(one.created_at, one.user_id)))


@router.put("/{project_id}/members/{user_id}", response_model=MemberView, responses=responses(403, 404, 409))
async def set_role(project_id: UUID, user_id: UUID, body: RoleBody, services: TheServices) -> Response:
    """Change a member's role."""
    return answer(MemberView, await services.members.set_role(project_id, user_id, body.role))


@router.delete("/{project_id}/members/{user_id}", status_code=204, responses=responses(403, 404, 409))
async def remove(project_id: UUID, user_id: UUID, services: TheServices) -> None:
    """Remove a member. Members may remove themselves."""
    await services.members.remove(project_id, user_id)


@router.get("/{project_id}/invitations", response_model=Page[InvitationView], responses=responses(403, 404))
async def invitations(project_id: UUID, services: TheServices, page: PageQuery) -> Response:
    """The project's invitations, newest first."""
    before = position_of(page.cursor, datetime, UUID)
    views = await services.invitations.list(project_id, before=before, limit=page.limit + 1)
    return answer(Page[InvitationView], Page.of(views, page.limit, lambda one: cursor_of(one.created_at, one.id)))


@router.post(
    "/{project_id}/invitations", status_code=201, response_model=InvitationView, responses=responses(403, 404, 409)
)
async def invite(project_id: UUID, body: InviteBody, services: TheServices) -> Response:
    """Invite the person with this email address. They see it when they sign in; no email is sent."""
    return answer(InvitationView, await services.invitations.create(project_id, body.email, body.role), status=201)


@router.delete("/{project_id}/invitations/{invitation_id}", status_code=204, responses=responses(403, 404, 409))
async def revoke_invitation(project_id: UUID, invitation_id: UUID, services: TheServices) -> None:
    """Revoke an invitation."""
    await services.invitations.revoke(project_id, invitation_id)


@router.get("/{project_id}/audit", response_model=Page[AuditView], responses=responses(403, 404))
async def audit(project_id: UUID, services: TheServices, page: PageQuery) -> Response:
    """The project's audit log, newest first."""
    before = position_of(page.cursor, int)
    views = await services.audit.list(
        project_id=project_id, before=None if before is None else before[0], limit=page.limit + 1
    )
    return answer(Page[AuditView], Page.of(views, page.limit, lambda one: cursor_of(one.id)))

"""The current user, their tokens, sessions and invitations; and, for admins of the installation, all users."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import Field

from combine.api.answers import answer
from combine.api.caller import TheServices, TheShell
from combine.api.errors import responses
from combine.api.limits import Limit
from combine.api.paging import Page, PageQuery, cursor_of, position_of
from combine.api.requests import BodyRoute, Days, RequestBody
from combine.auth.permissions import InstanceRole, Scope
from combine.services.people_views import (
    AuditView,
    InvitationView,
    MeView,
    NewTokenView,
    SessionView,
    TokenView,
    UserView,
)

router: Final = APIRouter(prefix="/api/v1", tags=["people"], responses=responses(401), route_class=BodyRoute)

IdentityId = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{4,100}$", description="As in `GET /api/v1/me`.")]


class NewTokenBody(RequestBody):
    """The token to create."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    """What the token is used for."""
    scope: Scope = Scope.READ
    expires_in_days: Days = 90


class InstanceRoleBody(RequestBody):
    """The user's new role in the installation."""

    role: InstanceRole


@router.get("/me", response_model=MeView, responses=responses(403))
async def me(services: TheServices) -> Response:
    """The current user, and the credential in use."""
    return answer(MeView, await services.users.me())


@router.delete("/me/identities/{identity_id}", response_model=MeView, responses=responses(403, 404, 409))
async def unlink(identity_id: IdentityId, services: TheServices) -> Response:
    """Remove one of your sign-in methods. The last one cannot be removed.

    To add one, open `/login/{provider}?link=1` in a browser.
    """
    return answer(MeView, await services.users.unlink(identity_id))


@router.get("/me/sessions", response_model=Page[SessionView], responses=responses(403))
async def sessions(services: TheServices) -> Response:
    """Your browser sessions, all on one page."""
    return answer(Page[SessionView], Page(await services.sessions.list(), None))


@router.delete("/me/sessions", status_code=204, responses=responses(403))
async def sign_out_everywhere(services: TheServices) -> None:
    """End all your sessions, including this one."""
    await services.sessions.end_all()


@router.delete("/me/sessions/{session_id}", status_code=204, responses=responses(403, 404))
async def end_session(session_id: UUID, services: TheServices) -> None:
    """End one session."""
    await services.sessions.end(session_id)


@router.get("/me/invitations", response_model=Page[InvitationView], responses=responses(403))
async def my_invitations(services: TheServices) -> Response:
    """Open invitations to your verified addresses, all on one page."""
    return answer(Page[InvitationView], Page(await services.invitations.mine(), None))


@router.post(
    "/me/invitations/{invitation_id}/accept", response_model=InvitationView, responses=responses(403, 404, 409)
)
async def accept_invitation(invitation_id: UUID, services: TheServices) -> Response:
    """Accept an invitation and become a member."""
    return answer(InvitationView, await services.invitations.accept(invitation_id))


@router.post(
    "/me/invitations/{invitation_id}/decline", response_model=InvitationView, responses=responses(403, 404, 409)
)
async def decline_invitation(invitation_id: UUID, services: TheServices) -> Response:
    """Decline an invitation."""
    return answer(InvitationView, await services.invitations.decline(invitation_id))


@router.post("/tokens", status_code=201, response_model=NewTokenView, responses=responses(403))
async def create_token(body: NewTokenBody, services: TheServices, shell: TheShell) -> Response:
    """Create a personal access token. Only this response contains its secret."""
    await shell.limits.check(Limit.TOKENS, str(services.actor.user_id))
    made = await services.tokens.create(body.name, body.scope, expires_in_days=body.expires_in_days)
    return answer(NewTokenView, made, status=201)


@router.get("/tokens", response_model=Page[TokenView], responses=responses(403))
async def tokens(services: TheServices, page: PageQuery) -> Response:
    """Your tokens, newest first, without their secrets."""
    before = position_of(page.cursor, datetime, UUID)
    views = await services.tokens.list(before=before, limit=page.limit + 1)
    return answer(Page[TokenView], Page.of(views, page.limit, lambda one: cursor_of(one.created_at, one.id)))


@router.delete("/tokens/{token_id}", response_model=TokenView, responses=responses(403, 404))
async def revoke_token(token_id: UUID, services: TheServices) -> Response:
    """Revoke a token. It is rejected from the next request on."""
    return answer(TokenView, await services.tokens.revoke(token_id))


@router.get("/users", response_model=Page[UserView], responses=responses(403))
async def users(services: TheServices, page: PageQuery) -> Response:
    """All users, newest first."""
    before = position_of(page.cursor, datetime, UUID)
    views = await services.users.list(before=before, limit=page.limit + 1)
    return answer(Page[UserView], Page.of(views, page.limit, lambda one: cursor_of(one.created_at, one.id)))


@router.put("/users/{user_id}/role", response_model=UserView, responses=responses(403, 404, 409))
async def set_instance_role(user_id: UUID, body: InstanceRoleBody, services: TheServices) -> Response:
    """Set a user's role in the installation."""
    return answer(UserView, await services.users.set_role(user_id, body.role))


@router.post("/users/{user_id}/disable", response_model=UserView, responses=responses(403, 404, 409))
async def disable_user(user_id: UUID, services: TheServices) -> Response:
    """Disable a user immediately, with all their sessions and tokens."""
    return answer(UserView, await services.users.disable(user_id))


@router.post("/users/{user_id}/enable", response_model=UserView, responses=responses(403, 404))
async def enable_user(user_id: UUID, services: TheServices) -> Response:
    """Enable a disabled user."""
    return answer(UserView, await services.users.enable(user_id))


@router.get("/audit", response_model=Page[AuditView], responses=responses(403))
async def audit(services: TheServices, page: PageQuery) -> Response:
    """The audit log of the installation, newest first."""
    before = position_of(page.cursor, int)
    views = await services.audit.list(before=None if before is None else before[0], limit=page.limit + 1)
    return answer(Page[AuditView], Page.of(views, page.limit, lambda one: cursor_of(one.id)))

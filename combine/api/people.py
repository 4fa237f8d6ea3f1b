"""Oneself, one's tokens, sessions and invitations; and, for admins of the installation, everybody."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import Field

from combine.api.answers import answer
from combine.api.bodies import Body
from combine.api.caller import TheServices
from combine.api.errors import responses
from combine.api.fields import Days
from combine.api.limits import Limit
from combine.api.names import IDENTITY_ID
from combine.api.paging import Page, PageAsked, cursor_of, position
from combine.api.reading import BodyRoute
from combine.api.shell import TheShell
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

IdentityId = Annotated[str, Path(pattern=IDENTITY_ID)]


class NewTokenBody(Body):
    """A token to be made."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    """What it is for."""
    scope: Scope = Scope.READ
    expires_in_days: Days = 90


class InstanceRoleBody(Body):
    """What somebody is in the installation from now on."""

    role: InstanceRole


@router.get("/me", response_model=MeView, responses=responses(403))
async def me(services: TheServices) -> Response:
    """Who asks, and with what."""
    return answer(MeView, await services.users.me())


@router.delete("/me/identities/{identity_id}", response_model=MeView, responses=responses(403, 404, 409))
async def unlink(identity_id: IdentityId, services: TheServices) -> Response:
    """Take one way to sign in away from oneself; the last one stays.

    A new one is added at `/login/{provider}?link=1`, in the browser.
    """
    return answer(MeView, await services.users.unlink(identity_id))


@router.get("/me/sessions", response_model=Page[SessionView], responses=responses(403))
async def sessions(services: TheServices) -> Response:
    """The browsers one is signed in with; all on one page."""
    return answer(Page[SessionView], Page(await services.sessions.list(), None))


@router.delete("/me/sessions", status_code=204, responses=responses(403))
async def sign_out_everywhere(services: TheServices) -> None:
    """End all of one's sessions, this one too."""
    await services.sessions.end_all()


@router.delete("/me/sessions/{session_id}", status_code=204, responses=responses(403, 404))
async def end_session(session_id: UUID, services: TheServices) -> None:
    """Sign one browser out."""
    await services.sessions.end(session_id)


@router.get("/me/invitations", response_model=Page[InvitationView], responses=responses(403))
async def my_invitations(services: TheServices) -> Response:
    """Invitations to one's verified addresses that are open; all on one page."""
    return answer(Page[InvitationView], Page(await services.invitations.mine(), None))


@router.post(
    "/me/invitations/{invitation_id}/accept", response_model=InvitationView, responses=responses(403, 404, 409)
)
async def accept_invitation(invitation_id: UUID, services: TheServices) -> Response:
    """Become a member."""
    return answer(InvitationView, await services.invitations.accept(invitation_id))


@router.post(
    "/me/invitations/{invitation_id}/decline", response_model=InvitationView, responses=responses(403, 404, 409)
)
async def decline_invitation(invitation_id: UUID, services: TheServices) -> Response:
    """Do not become one."""
    return answer(InvitationView, await services.invitations.decline(invitation_id))


@router.post("/tokens", status_code=201, response_model=NewTokenView, responses=responses(403))
async def create_token(body: NewTokenBody, services: TheServices, shell: TheShell) -> Response:
    """Make a personal access token. Its secret is in this answer and nowhere else, ever."""
    await shell.limits.check(Limit.TOKENS, str(services.actor.user_id))
    made = await services.tokens.create(body.name, body.scope, expires_in_days=body.expires_in_days)
    return answer(NewTokenView, made, status=201)


@router.get("/tokens", response_model=Page[TokenView], responses=responses(403))
async def tokens(services: TheServices, page: PageAsked) -> Response:
    """One's tokens, the newest first, without their secrets."""
    before = position(page.cursor, datetime, UUID)
    views = await services.tokens.list(before=before, limit=page.limit + 1)
    return answer(Page[TokenView], Page.of(views, page.limit, lambda one: cursor_of(one.created_at, one.id)))


@router.delete("/tokens/{token_id}", response_model=TokenView, responses=responses(403, 404))
async def revoke_token(token_id: UUID, services: TheServices) -> Response:
    """Make a token worthless, from the next request on."""
    return answer(TokenView, await services.tokens.revoke(token_id))


@router.get("/users", response_model=Page[UserView], responses=responses(403))
async def users(services: TheServices, page: PageAsked) -> Response:
    """Everybody, the newest first; for admins of the installation."""
    before = position(page.cursor, datetime, UUID)
    views = await services.users.list(before=before, limit=page.limit + 1)
    return answer(Page[UserView], Page.of(views, page.limit, lambda one: cursor_of(one.created_at, one.id)))


@router.put("/users/{user_id}/role", response_model=UserView, responses=responses(403, 404, 409))
async def set_instance_role(user_id: UUID, body: InstanceRoleBody, services: TheServices) -> Response:
    """Make somebody admin or member; for admins of the installation."""
    return answer(UserView, await services.users.set_role(user_id, body.role))


@router.post("/users/{user_id}/disable", response_model=UserView, responses=responses(403, 404, 409))
async def disable_user(user_id: UUID, services: TheServices) -> Response:
    """Shut somebody out at once, with all their sessions and tokens; for admins of the installation."""
    return answer(UserView, await services.users.disable(user_id))


@router.post("/users/{user_id}/enable", response_model=UserView, responses=responses(403, 404))
async def enable_user(user_id: UUID, services: TheServices) -> Response:
    """Let somebody in again; for admins of the installation."""
    return answer(UserView, await services.users.enable(user_id))


@router.get("/audit", response_model=Page[AuditView], responses=responses(403))
async def audit(services: TheServices, page: PageAsked) -> Response:
    """Who changed what, the newest first; for admins of the installation."""
    before = position(page.cursor, int)
    views = await services.audit.list(before=None if before is None else before[0], limit=page.limit + 1)
    return answer(Page[AuditView], Page.of(views, page.limit, lambda one: cursor_of(one.id)))

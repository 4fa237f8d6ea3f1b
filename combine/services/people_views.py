"""What the services about people return: frozen, free of storage types; a secret only where one is handed out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from combine.auth.permissions import InstanceRole, ProjectRole, Scope


@dataclass(frozen=True, slots=True)
class SignInProviderView:
    """One sign-in provider."""

    name: str
    """Used in URL paths."""
    label: str


@dataclass(frozen=True, slots=True)
class UserView:
    """One user."""

    id: UUID
    name: str
    email: str | None
    """None: the only user in local mode."""
    role: InstanceRole
    disabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class IdentityView:
    """A user's identity at a provider."""

    id: str
    """Derived from issuer and subject; used in URL paths."""
    provider: str
    issuer: str
    subject: str
    email: str | None
    created_at: datetime
    last_used_at: datetime


@dataclass(frozen=True, slots=True)
class MeView:
    """The current user."""

    user: UserView
    scope: Scope
    """The scope of the token in use; a session has the widest."""
    token_id: UUID | None
    """The token in use, if any."""
    session_id: UUID | None
    """The browser session in use, if any."""
    identities: tuple[IdentityView, ...]


@dataclass(frozen=True, slots=True)
class SessionView:
    """One signed-in browser."""

    id: UUID
    current: bool
    """Whether it is the session of this request."""
    provider: str
    user_agent: str
    created_at: datetime
    last_seen_at: datetime
    """Accurate to the minute."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The result of signing in."""

    session_secret: str = field(repr=False)
    """For the cookie. It is never shown again."""
    session_id: UUID
    user: UserView
    next_path: str
    linked: bool
    """An identity was added to a user who was already signed in."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class TokenView:
    """One personal access token, without its secret."""

    id: UUID
    name: str
    scope: Scope
    hint: str
    """Its last four characters."""
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    """Accurate to the minute."""
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewTokenView:
    """A token that was just created."""

    token: TokenView
    secret: str = field(repr=False)
    """``cmb_...``. It is never shown again."""


@dataclass(frozen=True, slots=True)
class MemberView:
    """One member of a project."""

    user_id: UUID
    name: str
    email: str | None
    role: ProjectRole
    disabled: bool
    created_at: datetime
    """When they became a member."""


@dataclass(frozen=True, slots=True)
class InvitationView:
    """One invitation to a project."""

    id: UUID
    project_id: UUID
    project: str
    email: str
    role: ProjectRole
    state: str
    """``open``, ``accepted``, ``revoked`` (also: declined) or ``expired``."""
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AuditView:
    """One change and who made it."""

    id: int
    at: datetime
    action: str
    """One of the actions in the audit log reference."""
    user_id: UUID | None
    """None: from the command line."""
    user_name: str | None
    """The user's current name."""
    token_id: UUID | None
    """The token used, if any."""
    project_id: UUID | None
    object: str | None
    """ID of the object that was changed."""
    data: Mapping[str, Any]
    request_id: str | None

"""Finds the user of a session or token: on every request, with one statement."""

from __future__ import annotations

from datetime import timedelta

from combine.auth.permissions import Actor, InstanceRole, Scope
from combine.auth.secrets import digest, is_token
from combine.errors import NotSignedIn
from combine.storage.core.database import Database, WriteSession
from combine.storage.people.api_tokens import ApiTokens, TokenOwner
from combine.storage.people.sessions import SessionOwner, Sessions


class AuthenticationService:
    """Turns a request's credentials into an actor."""

    def __init__(self, database: Database, *, session_idle: timedelta) -> None:
        self._database = database
        self._session_idle = session_idle

    async def authenticate_session(self, secret: str) -> Actor:
        """The actor of a session cookie. Raises NotSignedIn."""
        hashed = digest(secret)

        async def work(session: WriteSession) -> SessionOwner | None:
            return await Sessions(session).authenticate(hashed, self._session_idle)

        owner = await self._database.once(work)
        if owner is None or owner.disabled:
            raise NotSignedIn("This session has ended.", code="session_ended", hint="Sign in again.")
        if owner.expired:
            raise NotSignedIn("This session has expired.", code="session_expired", hint="Sign in again.")
        return Actor(owner.user_id, InstanceRole(owner.role), Scope.ADMIN, session_id=owner.id)

    async def authenticate_token(self, secret: str) -> Actor:
        """The actor of a personal access token. Raises NotSignedIn."""
        if not is_token(secret):
            raise _token_unknown()
        hashed = digest(secret)

        async def work(session: WriteSession) -> TokenOwner | None:
            return await ApiTokens(session).authenticate(hashed)

        owner = await self._database.once(work)
        if owner is None:
            raise _token_unknown()
        _must_be_good(owner)
        return Actor(owner.user_id, InstanceRole(owner.role), Scope(owner.scope), token_id=owner.id)


def _must_be_good(owner: TokenOwner) -> None:
    if owner.revoked:
        raise NotSignedIn("This token has been revoked.", code="token_revoked", hint="Create a new one.")
    if owner.expired:
        raise NotSignedIn("This token has expired.", code="token_expired", hint="Create a new one.")
    if owner.disabled:
        raise NotSignedIn(
            "The user of this token is disabled.", code="token_user_disabled", hint="Ask an admin of the installation."
        )


def _token_unknown() -> NotSignedIn:
    return NotSignedIn(
        "Unknown token.", code="token_unknown", hint="Check that it is complete: cmb_ followed by 49 characters."
    )

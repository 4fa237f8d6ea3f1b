"""The tokens of the current user on a server."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from combine.auth.permissions import Scope
from combine.cli.remote.client import API, Client
from combine.errors import NotPermitted
from combine.services.people_views import NewTokenView, TokenView


@dataclass(frozen=True, slots=True)
class RemoteTokens:
    """The current user is the owner of the token in use."""

    client: Client

    async def create(
        self, name: str, scope: Scope, *, expires_in_days: int = 90, user: str | None = None
    ) -> NewTokenView:
        """Never retried: after a lost response, a retry would leave behind an unused token."""
        _only_own_tokens(user)
        body = {"name": name, "scope": scope.value, "expires_in_days": expires_in_days}
        return await self.client.post(NewTokenView, f"{API}/tokens", body)

    async def list(self, *, limit: int = 50, user: str | None = None) -> tuple[TokenView, ...]:
        _only_own_tokens(user)
        return await self.client.get_list(TokenView, f"{API}/tokens", limit=limit)

    async def revoke(self, token_id: UUID) -> TokenView:
        return await self.client.delete(TokenView, f"{API}/tokens/{token_id}")


def _only_own_tokens(user: str | None) -> None:
    if user is not None:
        raise NotPermitted(
            "On a server you can manage only your own tokens.",
            code="operator_needed",
            hint="To use --user, run the command on the server's machine without --server.",
        )

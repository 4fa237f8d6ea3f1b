"""One's tokens at a server."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from combine.auth.permissions import Scope
from combine.cli.remote.client import API, Client
from combine.errors import NotPermitted
from combine.services.people_views import NewTokenView, TokenView


@dataclass(frozen=True, slots=True)
class RemoteTokens:
    """See the port. They are those of whoever the token in use belongs to."""

    client: Client

    async def create(
        self, name: str, scope: Scope, *, expires_in_days: int = 90, user: str | None = None
    ) -> NewTokenView:
        """See the port. Never sent twice: a lost answer would leave a token behind that nobody holds."""
        _only_ones_own(user)
        body = {"name": name, "scope": scope.value, "expires_in_days": expires_in_days}
        return await self.client.post(NewTokenView, f"{API}/tokens", body)

    async def list(self, *, limit: int = 50, user: str | None = None) -> tuple[TokenView, ...]:
        """See the port."""
        _only_ones_own(user)
        return await self.client.page(TokenView, f"{API}/tokens", most=limit)

    async def revoke(self, token_id: UUID) -> TokenView:
        """See the port."""
        return await self.client.delete(TokenView, f"{API}/tokens/{token_id}")


def _only_ones_own(user: str | None) -> None:
    if user is not None:
        raise NotPermitted(
            "At a server there are only your own tokens.",
            code="operator_needed",
            hint="--user is for the command line on the server's machine, without --server.",
        )

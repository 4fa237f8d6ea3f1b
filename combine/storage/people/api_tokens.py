"""Personal access tokens: a hash, the user, the scope and the expiry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.errors import NotFound
from combine.storage.core.database import ReadSession
from combine.storage.core.rows import build, build_all, columns
from combine.storage.core.tables import api_tokens


@dataclass(frozen=True, slots=True)
class NewToken:
    """A new token."""

    id: UUID
    user_id: UUID
    name: str
    secret_sha256: str
    hint: str
    scope: str


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token, without its secret."""

    id: UUID
    user_id: UUID
    name: str
    hint: str
    scope: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """The user of a token, and whether it is valid."""

    id: UUID
    user_id: UUID
    role: str
    scope: str
    expired: bool
    revoked: bool
    disabled: bool


# As in ``sessions.py``: one round trip, a write at most once a minute, and no waiting for other requests.
_AUTHENTICATE = sa.text("""
WITH found AS (
  SELECT t.id, t.user_id, u.role, t.scope, t.expires_at <= clock_timestamp() AS expired,
    t.revoked_at IS NOT NULL AS revoked, u.disabled_at IS NOT NULL AS disabled
  FROM api_tokens t JOIN users u ON u.id = t.user_id WHERE t.secret_sha256 = :secret_sha256
), used AS (
  UPDATE api_tokens SET last_used_at = clock_timestamp() WHERE id IN (
    SELECT t.id FROM api_tokens t JOIN found USING (id)
    WHERE NOT found.expired AND NOT found.revoked AND NOT found.disabled
      AND (t.last_used_at IS NULL OR t.last_used_at < clock_timestamp() - interval '1 minute')
    FOR UPDATE OF t SKIP LOCKED)
)
SELECT * FROM found
""")
_SELECT = sa.select(*columns(api_tokens, TokenRow))


class ApiTokens:
    """Every query about tokens."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def authenticate(self, secret_sha256: str) -> TokenOwner | None:
        """The user of the token; None: not found. A single statement, which also updates ``last_used_at``."""
        row = (await self._connection.execute(_AUTHENTICATE, {"secret_sha256": secret_sha256})).first()
        return None if row is None else build(TokenOwner, row)

    async def insert(self, new: NewToken, lifetime: timedelta) -> TokenRow:
        """Store it. Idempotent."""
        values = {name: getattr(new, name) for name in NewToken.__slots__}
        made = insert(api_tokens).values(**values, expires_at=sa.func.clock_timestamp() + lifetime)
        await self._connection.execute(made.on_conflict_do_nothing(index_elements=["id"]))
        return await self.get(new.id, new.user_id)

    async def get(self, token_id: UUID, user_id: UUID | None) -> TokenRow:
        """One token of a user; None: of any user. Raises NotFound."""
        query = _SELECT.where(api_tokens.c.id == token_id)
        if user_id is not None:
            query = query.where(api_tokens.c.user_id == user_id)
        row = (await self._connection.execute(query)).first()
        if row is None:
            raise NotFound(f"There is no token {token_id}.", code="token_not_found")
        return build(TokenRow, row)

    async def list(
        self, user_id: UUID, *, before: tuple[datetime, UUID] | None = None, limit: int = 50
    ) -> tuple[TokenRow, ...]:
        """Tokens of a user, newest first, including expired and revoked ones.

        ``before``: ``created_at`` and ``id`` of the last one of the previous page.
        """
        query = _SELECT.where(api_tokens.c.user_id == user_id)
        if before is not None:
            place = sa.tuple_(api_tokens.c.created_at, api_tokens.c.id)
            query = query.where(place < sa.tuple_(*map(sa.literal, before)))
        query = query.order_by(api_tokens.c.created_at.desc(), api_tokens.c.id.desc()).limit(limit)
        return build_all(TokenRow, await self._connection.execute(query))

    async def revoke(self, token_id: UUID) -> bool:
        """Revoke it. False: it was already revoked."""
        good = (api_tokens.c.id == token_id) & api_tokens.c.revoked_at.is_(None)
        revoked = sa.update(api_tokens).where(good).values(revoked_at=sa.func.clock_timestamp())
        return (await self._connection.execute(revoked.returning(api_tokens.c.id))).first() is not None

"""Browser sessions: a hash of the cookie, the user, and the expiry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.storage.core.database import ReadSession
from combine.storage.core.rows import build, build_all, columns
from combine.storage.core.tables import sessions


@dataclass(frozen=True, slots=True)
class NewSession:
    """A new session."""

    id: UUID
    secret_sha256: str
    user_id: UUID
    provider: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One signed-in browser."""

    id: UUID
    user_id: UUID
    provider: str
    user_agent: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionOwner:
    """The user of a session, and whether it is valid."""

    id: UUID
    user_id: UUID
    role: str
    provider: str
    expired: bool
    disabled: bool


# One round trip, and a write at most once a minute. A row locked by another request is skipped: requests do not wait
# for each other here.
_AUTHENTICATE = sa.text("""
WITH found AS (
  SELECT s.id, s.user_id, u.role, s.provider, u.disabled_at IS NOT NULL AS disabled, s.last_seen_at,
    s.expires_at <= clock_timestamp() OR s.last_seen_at <= clock_timestamp() - CAST(:idle AS interval) AS expired
  FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.secret_sha256 = :secret_sha256
), seen AS (
  UPDATE sessions SET last_seen_at = clock_timestamp() WHERE id IN (
    SELECT s.id FROM sessions s JOIN found USING (id)
    WHERE NOT found.expired AND NOT found.disabled AND s.last_seen_at < clock_timestamp() - interval '1 minute'
    FOR UPDATE OF s SKIP LOCKED)
)
SELECT id, user_id, role, provider, expired, disabled FROM found
""")


class Sessions:
    """Every query about sessions."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def authenticate(self, secret_sha256: str, idle: timedelta) -> SessionOwner | None:
        """The user of the session; None: not found. A single statement, which also updates ``last_seen_at``."""
        given = {"secret_sha256": secret_sha256, "idle": idle}
        row = (await self._connection.execute(_AUTHENTICATE, given)).first()
        return None if row is None else build(SessionOwner, row)

    async def begin(self, new: NewSession, lifetime: timedelta) -> SessionRow:
        """Store one and delete the user's expired ones. Idempotent."""
        now = sa.func.clock_timestamp()
        over = (sessions.c.user_id == new.user_id) & (sessions.c.expires_at < now)
        await self._connection.execute(sa.delete(sessions).where(over))
        values = {name: getattr(new, name) for name in NewSession.__slots__}
        made = insert(sessions).values(**values, expires_at=now + lifetime)
        made = made.on_conflict_do_update(index_elements=["id"], set_={"last_seen_at": now})
        row = (await self._connection.execute(made.returning(*columns(sessions, SessionRow)))).one()
        return build(SessionRow, row)

    async def list(self, user_id: UUID, idle: timedelta) -> tuple[SessionRow, ...]:
        """Valid sessions of a user, most recently seen first."""
        now = sa.func.clock_timestamp()
        query = sa.select(*columns(sessions, SessionRow)).where(
            sessions.c.user_id == user_id, sessions.c.expires_at > now, sessions.c.last_seen_at > now - idle
        )
        rows = await self._connection.execute(query.order_by(sessions.c.last_seen_at.desc(), sessions.c.id))
        return build_all(SessionRow, rows)

    async def end(self, session_id: UUID, user_id: UUID) -> bool:
        """Delete the user's session; returns whether it existed."""
        mine = (sessions.c.id == session_id) & (sessions.c.user_id == user_id)
        ended = sa.delete(sessions).where(mine).returning(sessions.c.id)
        return (await self._connection.execute(ended)).first() is not None

    async def end_by_secret(self, secret_sha256: str) -> SessionRow | None:
        """End the session with this secret, valid or not, and return it."""
        ended = sa.delete(sessions).where(sessions.c.secret_sha256 == secret_sha256)
        row = (await self._connection.execute(ended.returning(*columns(sessions, SessionRow)))).first()
        return None if row is None else build(SessionRow, row)

    async def end_all(self, user_id: UUID) -> int:
        """End all sessions of a user; returns how many there were."""
        ended = sa.delete(sessions).where(sessions.c.user_id == user_id).returning(sessions.c.id)
        return len((await self._connection.execute(ended)).all())

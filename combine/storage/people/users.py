"""Users and their identities at the providers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.errors import NotFound
from combine.storage.core.database import ReadSession
from combine.storage.core.rows import build, build_all, columns
from combine.storage.core.tables import identities, users

LOCAL = "local"
"""Issuer, subject, provider and name of the only user in local mode."""
LOCAL_USER_ID = UUID("6c6f6361-6c00-4000-8000-000000000000")
"""Always the same, so that two processes create the same user."""
ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class UserRow:
    """One user."""

    id: UUID
    name: str
    email: str | None
    role: str
    disabled_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """One identity at one provider."""

    issuer: str
    subject: str
    user_id: UUID
    provider: str
    email: str | None
    created_at: datetime
    last_used_at: datetime


_SELECT = sa.select(*columns(users, UserRow))
_IS_ADMIN = (users.c.role == ADMIN) & users.c.disabled_at.is_(None) & (users.c.id != LOCAL_USER_ID)
_IDENTITY = sa.select(*columns(identities, IdentityRow))


class Users:
    """Every query about users."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def get(self, user_id: UUID) -> UserRow:
        """Raises NotFound."""
        return await self._one(_SELECT.where(users.c.id == user_id), str(user_id))

    async def lock(self, user_id: UUID) -> UserRow:
        """The current row, locked until the transaction ends. Raises NotFound."""
        return await self._one(_SELECT.where(users.c.id == user_id).with_for_update(key_share=True), str(user_id))

    async def by_email(self, email: str) -> UserRow:
        """Raises NotFound."""
        return await self._one(_SELECT.where(users.c.email == email), email)

    async def insert(self, user_id: UUID, name: str, email: str, role: str) -> bool:
        """Create one. False: another user has the address; waits for a concurrent transaction that stores it."""
        made = insert(users).values(id=user_id, name=name, email=email, role=role)
        made = made.on_conflict_do_nothing(index_elements=["email"])
        return (await self._connection.execute(made.returning(users.c.id))).first() is not None

    async def local(self) -> UserRow:
        """The only user in local mode, created if missing."""
        user = insert(users).values(id=LOCAL_USER_ID, name=LOCAL, role=ADMIN)
        await self._connection.execute(user.on_conflict_do_nothing())
        who = insert(identities).values(issuer=LOCAL, subject=LOCAL, provider=LOCAL, user_id=LOCAL_USER_ID)
        await self._connection.execute(who.on_conflict_do_nothing())
        return await self.get(LOCAL_USER_ID)

    async def list(self, *, before: tuple[datetime, UUID] | None = None, limit: int = 50) -> tuple[UserRow, ...]:
        """Users, newest first. ``before``: ``created_at`` and ``id`` of the last one of the previous page."""
        query = _SELECT
        if before is not None:
            query = query.where(sa.tuple_(users.c.created_at, users.c.id) < sa.tuple_(*map(sa.literal, before)))
        query = query.order_by(users.c.created_at.desc(), users.c.id.desc()).limit(limit)
        return build_all(UserRow, await self._connection.execute(query))

    async def lock_admins(self) -> frozenset[UUID]:
        """Lock the admins who can sign in, except the user of local mode.

        Call it before locking any other user.
        """
        query = sa.select(users.c.id).where(_IS_ADMIN)
        rows = await self._connection.execute(query.order_by(users.c.id).with_for_update(key_share=True))
        return frozenset(row.id for row in rows)

    async def has_admin(self) -> bool:
        """Whether there is such an admin; takes no locks, so it may be called while holding one."""
        return bool((await self._connection.execute(sa.select(sa.exists().where(_IS_ADMIN)))).scalar_one())

    async def set_role(self, user_id: UUID, role: str) -> None:
        """Set the user's role in the installation."""
        await self._connection.execute(sa.update(users).where(users.c.id == user_id).values(role=role))

    async def set_disabled(self, user_id: UUID, *, disabled: bool) -> None:
        """Disable or enable the user."""
        at = sa.func.clock_timestamp() if disabled else None
        await self._connection.execute(sa.update(users).where(users.c.id == user_id).values(disabled_at=at))

    async def may_have(self, user_id: UUID, email: str) -> bool:
        """Whether no other user has the address."""
        query = sa.select(users.c.id).where(users.c.email == email, users.c.id != user_id)
        return (await self._connection.execute(query)).first() is None

    async def set_email(self, user_id: UUID, email: str) -> None:
        """Set the user's address, unless another user has it."""
        other = users.alias()
        taken = sa.exists().where(other.c.email == email, other.c.id != user_id)
        await self._connection.execute(sa.update(users).where(users.c.id == user_id, ~taken).values(email=email))

    async def _one(self, query: sa.Select[Any], text: str) -> UserRow:
        row = (await self._connection.execute(query)).first()
        if row is None:
            raise NotFound(f"There is no user {text}.", code="user_not_found")
        return build(UserRow, row)


class Identities:
    """Every query about users' identities at the providers."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def find(self, issuer: str, subject: str) -> IdentityRow | None:
        """None: nobody has signed in with it."""
        query = _IDENTITY.where(identities.c.issuer == issuer, identities.c.subject == subject)
        row = (await self._connection.execute(query)).first()
        return None if row is None else build(IdentityRow, row)

    async def list(self, user_id: UUID) -> tuple[IdentityRow, ...]:
        """Identities of a user, oldest first."""
        query = _IDENTITY.where(identities.c.user_id == user_id)
        query = query.order_by(identities.c.created_at, identities.c.issuer, identities.c.subject)
        return build_all(IdentityRow, await self._connection.execute(query))

    async def emails(self, user_id: UUID) -> frozenset[str]:
        """The addresses that providers have verified."""
        return frozenset(row.email for row in await self.list(user_id) if row.email is not None)

    async def users_of(self, email: str) -> frozenset[UUID]:
        """Users with this address at a provider."""
        query = sa.select(identities.c.user_id).where(identities.c.email == email)
        return frozenset(row.user_id for row in await self._connection.execute(query))

    async def insert(self, user_id: UUID, issuer: str, subject: str, provider: str, email: str) -> None:
        """Add an identity to a user; one that is already linked stays unchanged."""
        values = {"issuer": issuer, "subject": subject, "provider": provider, "email": email}
        made = insert(identities).values(user_id=user_id, **values)
        await self._connection.execute(made.on_conflict_do_nothing())

    async def used(self, issuer: str, subject: str, email: str) -> None:
        """Record a sign-in with it, and its current address."""
        now = sa.func.clock_timestamp()
        mine = (identities.c.issuer == issuer) & (identities.c.subject == subject)
        await self._connection.execute(sa.update(identities).where(mine).values(email=email, last_used_at=now))

    async def delete(self, issuer: str, subject: str) -> None:
        """Unlink it, so that it can no longer be used to sign in."""
        mine = (identities.c.issuer == issuer) & (identities.c.subject == subject)
        await self._connection.execute(sa.delete(identities).where(mine))

"""Pending sign-ins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.storage.core.database import ReadSession
from combine.storage.core.rows import build
from combine.storage.core.tables import sign_ins

LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class NewSignIn:
    """A sign-in when the browser is redirected to the provider."""

    state_sha256: str
    browser_sha256: str
    provider: str
    nonce: str
    code_verifier: str
    next_path: str
    link_user_id: UUID | None


@dataclass(frozen=True, slots=True)
class SignInRow:
    """A sign-in when the browser returns."""

    browser_sha256: str
    provider: str
    nonce: str
    code_verifier: str
    next_path: str
    link_user_id: UUID | None
    expired: bool


class SignIns:
    """Every query about pending sign-ins."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def begin(self, new: NewSignIn) -> None:
        """Store one and delete abandoned ones."""
        swept = sa.delete(sign_ins).where(sign_ins.c.created_at < sa.func.clock_timestamp() - 2 * LIFETIME)
        await self._connection.execute(swept)
        values = {name: getattr(new, name) for name in NewSignIn.__slots__}
        await self._connection.execute(insert(sign_ins).values(**values).on_conflict_do_nothing())

    async def take(self, state_sha256: str) -> SignInRow | None:
        """Remove and return the sign-in with this state; of several concurrent requests one gets it."""
        expired = sign_ins.c.created_at < sa.func.clock_timestamp() - LIFETIME
        fields: list[sa.ColumnElement[Any]] = [sign_ins.c[name] for name in SignInRow.__slots__ if name != "expired"]
        taken = sa.delete(sign_ins).where(sign_ins.c.state_sha256 == state_sha256)
        fields.append(expired.label("expired"))
        row = (await self._connection.execute(taken.returning(*fields))).first()
        return None if row is None else build(SignInRow, row)

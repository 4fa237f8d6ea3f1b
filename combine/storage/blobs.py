"""Rendered prompts and raw replies, stored once under their SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from combine.storage.core.database import ReadSession
from combine.storage.core.tables import blobs


class Blobs:
    """Every query about blobs."""

    def __init__(self, session: ReadSession) -> None:
        self._connection = session.connection

    async def put_many(self, bodies: Iterable[bytes]) -> tuple[str, ...]:
        """Store what is not there yet; return the SHA-256 of each, in the order given."""
        keyed = [(hashlib.sha256(body).hexdigest(), body) for body in bodies]
        if keyed:
            # In one order for all writers, so that two transactions never wait for each other.
            rows = [{"sha256": key, "body": body} for key, body in sorted(dict(keyed).items())]
            await self._connection.execute(insert(blobs).values(rows).on_conflict_do_nothing())
        return tuple(key for key, _ in keyed)

    async def get(self, sha256: str) -> bytes | None:
        """The body, or None when it is not stored."""
        query = sa.select(blobs.c.body).where(blobs.c.sha256 == sha256)
        body = (await self._connection.execute(query)).scalar()
        return None if body is None else bytes(body)

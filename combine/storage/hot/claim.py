"""A segment's claim as used by this package: a row that only the owning process can lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from combine.errors import OwnershipLost
from combine.storage.core.database import WriteSession


@dataclass(frozen=True, slots=True)
class Claim:
    """Whether one process may still write for one segment."""

    query: str
    """A SELECT of one row, locked until the transaction ends; no row once another process has taken over.

    Its text is constant, so that statements which contain it are compiled once.
    """
    values: Mapping[str, object]
    """Its parameters; their names start with ``claim_``."""

    async def hold(self, session: WriteSession) -> None:
        """Prevent a takeover until the transaction ends. Raises OwnershipLost if one has already happened."""
        row = await session.connection.execute(sa.text(self.query), dict(self.values))
        if row.first() is None:
            raise OwnershipLost

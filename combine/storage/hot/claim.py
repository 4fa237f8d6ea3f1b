"""A segment's claim as used by this package: a row that only the owning process can lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from combine.errors import OwnershipLost
from combine.storage.core.database import WriteSession
from combine.storage.core.statements import Statement


@dataclass(frozen=True, slots=True)
class Claim:
    """Whether one process may still write for one segment."""

    query: str
    """A SELECT of one row, locked until the transaction ends; no row once another process has taken over.

    Its text is constant, so that statements which contain it are prepared once.
    """
    values: Mapping[str, object]
    """Its parameters; their names start with ``claim_``."""

    async def hold(self, session: WriteSession) -> None:
        """Prevent a takeover until the transaction ends. Raises OwnershipLost if one has already happened."""
        if await self.statement("{claim}").first(session.connection, **self.values) is None:
            raise OwnershipLost

    def statement(self, text: str) -> Statement:
        """The statement of ``text``, with the claim's query in place of ``{claim}``; it takes the claim's values."""
        return _with_query(text, self.query)


@lru_cache(maxsize=32)
def _with_query(text: str, query: str) -> Statement:
    return Statement(text.replace("{claim}", query))

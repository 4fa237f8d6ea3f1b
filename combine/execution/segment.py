"""What an execution may ask of whatever makes it durable.

One segment is the work of one process on one execution, from its start or resume to its next pause or
end. The engine room gives a ``Segment``; this room never sees a queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol
from uuid import UUID

from combine.storage.core.database import WriteSession
from combine.storage.hot.claim import Claim


class Segment(Protocol):
    """One claimed segment."""

    execution_id: UUID
    round: int
    """Number of the segment within its execution; a claim for an older round is void."""
    wake: asyncio.Event
    """Set when a person changed the execution (answer, cancel) or the process begins to drain."""

    claim: Claim
    """Every transaction of the segment holds it, except the one that stores a paid reply."""

    @property
    def draining(self) -> bool:
        """True once the process stops: begin no new step, finish what is in flight, hand back the rest."""
        ...

    async def enqueue_next(self, session: WriteSession) -> None:
        """Enqueue round + 1 in this transaction, for any process to take."""
        ...


SegmentRunner = Callable[[Segment], Awaitable[None]]

"""What an execution needs of the engine.

One segment is the work of one process on one execution, from its start or resume to its next pause or end. The engine
provides a ``Segment``, so this room does not know the queue.
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
    """The number of the segment within its execution; a segment of an older round does nothing."""
    wake: asyncio.Event
    """Set when a person has changed the execution (answer, cancel), or the process begins to drain."""

    claim: Claim
    """Every transaction of the segment holds it, except the one that stores a paid reply."""

    @property
    def draining(self) -> bool:
        """True when the process stops: begin no new step, finish the calls in flight, hand back the rest."""
        ...

    async def enqueue_next(self, session: WriteSession) -> None:
        """Enqueue the next round in this transaction, for any worker."""
        ...


class ReplyKeeper(Protocol):
    """The replies that the database could not take yet."""

    async def take_in(self) -> None:
        """Store those that earlier processes of this machine have left."""
        ...

    def any_unsaved(self) -> bool:
        """Whether one is in the memory of this process only."""
        ...


SegmentRunner = Callable[[Segment], Awaitable[None]]

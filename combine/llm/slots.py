"""Limits the concurrent calls per provider in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal


class NoMoreCalls(Exception):
    """The process is stopping and starts no more calls; another process will."""


class CallSlots:
    """Calls wait here for a slot, first come first served, before anything is written or reserved for them."""

    def __init__(self, limits: Mapping[str, int] | None = None) -> None:
        """``limits``: provider -> concurrent calls; other providers have no limit."""
        self._free = {name: asyncio.Semaphore(limit) for name, limit in (limits or {}).items()}
        self._closed = asyncio.Event()

    @asynccontextmanager
    async def slot(self, provider: str) -> AsyncIterator[None]:
        """Hold a slot for the body. Raises NoMoreCalls once the slots are closed, also while waiting."""
        free = self._free.get(provider)
        if free is None:
            self._must_be_open()
            yield
            return
        await self._acquire(free)
        try:
            self._must_be_open()
            yield
        finally:
            free.release()

    def close(self) -> None:
        """Start no more calls; calls in flight continue."""
        self._closed.set()

    async def _acquire(self, free: asyncio.Semaphore) -> None:
        turn = asyncio.create_task(free.acquire())
        closed = asyncio.create_task(self._closed.wait())
        try:
            await asyncio.wait({turn, closed}, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            _give_up(turn, free)
            raise
        finally:
            closed.cancel()
        if not turn.done():
            _give_up(turn, free)
            raise NoMoreCalls

    def _must_be_open(self) -> None:
        if self._closed.is_set():
            raise NoMoreCalls


def _give_up(turn: asyncio.Task[Literal[True]], free: asyncio.Semaphore) -> None:
    """Stop waiting; a slot that was assigned just now goes to the next waiter."""
    if turn.done() and not turn.cancelled():
        free.release()
    else:
        turn.cancel()

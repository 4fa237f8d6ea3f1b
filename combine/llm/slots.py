"""How many calls may be in flight at once, per provider, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Literal


class NoMoreCalls(Exception):
    """The process is stopping and begins no call any more; another one will."""


class CallSlots:
    """Calls wait here for their turn, first come first served, before anything of them is written or reserved."""

    def __init__(self, limits: Mapping[str, int] | None = None) -> None:
        """``limits``: provider -> calls at once; a provider that is not named has no limit."""
        self._free = {name: asyncio.Semaphore(limit) for name, limit in (limits or {}).items()}
        self._closed = asyncio.Event()

    @asynccontextmanager
    async def slot(self, provider: str) -> AsyncIterator[None]:
        """Hold one for the length of the body. Raises NoMoreCalls once the slots are closed, also while it waits."""
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
        """No call begins from now on; those in flight are left alone."""
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
    """Stop waiting; a turn that has come at this very moment goes to the next."""
    if turn.done() and not turn.cancelled():
        free.release()
    else:
        turn.cancel()

"""One thing fetched from elsewhere: kept for a while, fetched once for all who wait, let alone after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Generic, TypeVar

from combine.errors import Unavailable

T = TypeVar("T")

LIFETIME_S = 3600.0
PAUSE_S = 30.0
"""Between two fetches of what somebody believes to be out of date."""
PAUSE_AFTER_FAILURE_S = 3.0
"""Those who come meanwhile get the same failure at once; nobody queues for a provider that does not answer."""


class Kept(Generic[T]):
    """Belongs to one event loop."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], *, clock: Callable[[], float] = monotonic) -> None:
        """``fetch`` raises Unavailable when it cannot."""
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._value: T | None = None
        self._fetched_at = 0.0
        self._failure: Unavailable | None = None
        self._failed_at = 0.0

    async def get(self, *, doubted: bool = False) -> T:
        """The thing. ``doubted``: it seems to be out of date, fetch it if that was not done just now.

        Raises Unavailable.
        """
        async with self._lock:
            now = self._clock()
            if self._value is not None and now - self._fetched_at < (PAUSE_S if doubted else LIFETIME_S):
                return self._value
            if self._failure is not None and now - self._failed_at < PAUSE_AFTER_FAILURE_S:
                raise Unavailable(self._failure.message, code=self._failure.code, hint=self._failure.hint)
            try:
                self._value = await self._fetch()
            except Unavailable as error:
                self._failure, self._failed_at = error, self._clock()
                raise
            self._failure, self._fetched_at = None, self._clock()
            return self._value

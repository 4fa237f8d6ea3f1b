"""Rate limits and concurrency limits. They count in this process only: with several, the limits add up."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from math import ceil
from time import monotonic
from typing import Final

from fastapi import Request

from combine.api.errors import rate_limited

_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_SWEEP_FROM: Final = 1000
_STREAM_RETRY_S: Final = 30
MAX_STREAMS: Final = 1500
"""Event streams one user may have open in one process; fewer than the process accepts in total."""


class Limit(StrEnum):
    """What is limited."""

    SIGN_IN = "sign_in"  # attempts from one address
    SIGN_IN_FAILED = "sign_in_failed"  # wrong credentials from one address
    STARTS = "starts"  # executions one user starts
    TOKENS = "tokens"  # tokens one user creates


@dataclass(frozen=True, slots=True)
class Rule:
    """At most this many in any period of this length."""

    most: int
    seconds: int

    @classmethod
    def of(cls, text: str) -> Rule:
        """``20/minute``."""
        most, _, period = text.partition("/")
        return cls(int(most), _SECONDS[period])


class RateLimits:
    """Sliding windows: for each key the times of what was let through.

    Memory is bounded: a window has at most ``most`` entries, and expired windows are removed whenever there are twice
    as many as after the last sweep.
    """

    def __init__(
        self,
        rules: Mapping[Limit, Rule],
        *,
        on_refused: Callable[[Limit], None] = lambda _: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._rules = dict(rules)
        self._on_refused = on_refused
        self._clock = clock
        self._windows: dict[tuple[Limit, str], deque[float]] = {}
        self._sweep_at = _SWEEP_FROM

    async def check(self, limit: Limit, key: str) -> None:
        """Count one more. If that is too many, count nothing and raise the 429 with Retry-After."""
        rule, now = self._rules[limit], self._clock()
        window = self._window(limit, key, now)
        if len(window) >= rule.most:
            self._on_refused(limit)
            raise rate_limited(limit.value, max(1, ceil(window[0] + rule.seconds - now)))
        if not window:
            self._windows[limit, key] = window
        window.append(now)
        self._sweep(now)

    def _window(self, limit: Limit, key: str, now: float) -> deque[float]:
        rule = self._rules[limit]
        window = self._windows.get((limit, key)) or deque(maxlen=rule.most)
        while window and window[0] <= now - rule.seconds:
            window.popleft()
        return window

    def _sweep(self, now: float) -> None:
        if len(self._windows) < self._sweep_at:
            return
        kept = {(limit, key): window for (limit, key), window in self._windows.items() if self._window(limit, key, now)}
        self._windows = kept
        self._sweep_at = max(_SWEEP_FROM, 2 * len(kept))


class ConcurrencyLimit:
    """How many of something one user may hold at the same time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[str] = Counter()

    @contextmanager
    def slot(self, key: str) -> Iterator[None]:
        """Hold one. Raises the 429 with Retry-After if the user holds the maximum already."""
        if self._held[key] >= self._most:
            raise rate_limited("streams", _STREAM_RETRY_S)
        self._held[key] += 1
        try:
            yield
        finally:
            self._held[key] -= 1
            if not self._held[key]:
                del self._held[key]


def client_address(request: Request) -> str:
    """The key for limits by address: the client's IPv4 address, or the /64 network of its IPv6 address."""
    if request.client is None:
        return "unknown"
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return request.client.host
    if not isinstance(address, IPv6Address):
        return str(address)
    mapped = address.ipv4_mapped
    return str(mapped) if mapped is not None else f"{IPv6Address(int(address) >> 64 << 64)}/64"

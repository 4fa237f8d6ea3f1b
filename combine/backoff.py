"""Pauses between retries: each is twice as long as the one before, up to a limit, with jitter."""

from __future__ import annotations

import random
from collections.abc import Callable

_MAX_DOUBLINGS = 30


def jittered(seconds: float, rand: Callable[[], float] = random.random) -> float:
    """Between half of ``seconds`` and all of it, so that many clients do not retry in the same moment."""
    return seconds * (0.5 + 0.5 * rand())


def doubled(first_s: float, longest_s: float, failures: int) -> float:
    """The pause after ``failures`` earlier ones, without jitter."""
    return min(longest_s, first_s * 2.0 ** min(failures, _MAX_DOUBLINGS))


class Backoff:
    """The pauses of one loop that retries until it succeeds."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._failures = 0

    def next_s(self) -> float:
        """The next pause in seconds; the one after it is twice as long."""
        pause = doubled(self._first_s, self._longest_s, self._failures)
        self._failures += 1
        return jittered(pause)

    def reset(self) -> None:
        """Start again with the first pause."""
        self._failures = 0

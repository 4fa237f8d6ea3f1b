"""The wait between two polls of the queue, which a notification ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_SHORTEST_S = 0.02
_FULL_S = 0.1


class WakeableStop(threading.Event):
    """The stop event of DBOS's claiming loop, which waits on it between two polls: ``wake`` ends that wait, too.

    The loop polls at most every ``_SHORTEST_S``, so that a busy queue does not cause one query per segment. While
    ``is_full``, it polls every ``_FULL_S``: without a free slot DBOS sends no query, and a slot that becomes free is
    filled soon.
    """

    def __init__(self, is_full: Callable[[], bool]) -> None:
        super().__init__()
        self._is_full = is_full
        self._woken = threading.Event()
        self._woken.set()  # the first poll is immediate
        self._polled = float("-inf")

    def wake(self) -> None:
        """Let the loop poll now, or once more if it is polling."""
        self._woken.set()

    def set(self) -> None:
        """End the loop."""
        super().set()
        self._woken.set()

    def wait(self, timeout: float | None = None) -> bool:
        """True: the loop must end. False: it must poll, because it was woken or ``timeout`` seconds have passed."""
        if self.is_set():
            return True
        if self._is_full():
            timeout = _FULL_S if timeout is None else min(timeout, _FULL_S)
        if self._woken.wait(timeout):
            super().wait(max(0.0, self._polled + _SHORTEST_S - time.monotonic()))
        self._woken.clear()  # before the poll: a wake during the poll leads to another one
        self._polled = time.monotonic()
        return self.is_set()

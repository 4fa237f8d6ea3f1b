"""Says "alive" for this process, and ends it when it can no longer say so.

A process that cannot beat must assume that others have taken its work, and that every call it goes on paying
for is paid twice. So it exits before the others' patience ends (``FENCE_S`` < ``DEAD_AFTER_S``).
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable

import psycopg

from combine.storage.beat import BeatConnection

BEAT_EVERY_S = 5.0
FENCE_S = 20.0
DEAD_AFTER_S = 30.0
EXIT_FENCED = 70


def host_name() -> str:
    """The name under which this machine's processes recognise each other's pids."""
    return socket.gethostname()


def _exit_fenced() -> None:
    sys.stderr.write(
        f"combine: no heartbeat reached the database for {FENCE_S:.0f} s; stopping, so that another process can "
        "take over. Nothing finished is lost: `combine resume ID` goes on.\n"
    )
    sys.stderr.flush()
    os._exit(EXIT_FENCED)


class Heartbeat:
    """A thread with a connection of its own."""

    def __init__(
        self,
        connection: BeatConnection,
        *,
        beat_every_s: float = BEAT_EVERY_S,
        fence_s: float = FENCE_S,
        on_fenced: Callable[[], None] = _exit_fenced,
    ) -> None:
        self._connection = connection
        self._beat_every_s = beat_every_s
        self._fence_s = fence_s
        self._on_fenced = on_fenced
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="combine-heartbeat", daemon=True)
        self._last = 0.0

    def start(self, *, kind: str, queue: str, version: str) -> None:
        """Commit the first beat, then go on in the background. Raises psycopg.Error if the first one fails."""
        self._connection.register(kind=kind, queue=queue, host=host_name(), pid=os.getpid(), version=version)
        self._last = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End the thread and remove this process's row; what it still holds is free for others at once."""
        self._stop.set()
        self._thread.join(timeout=2 * self._beat_every_s)
        try:
            self._connection.remove()
        except psycopg.Error:
            pass  # the row grows old by itself
        finally:
            self._connection.close()

    def _run(self) -> None:
        while not self._stop.wait(self._beat_every_s if self._fresh() else 0.5):
            # Checked before the beat: a process that slept (SIGSTOP) must not beat its way back to life.
            if time.monotonic() - self._last > self._fence_s:
                self._on_fenced()
                return
            try:
                if not self._connection.beat():
                    self._on_fenced()
                    return
                self._last = time.monotonic()
            except psycopg.Error:
                continue

    def _fresh(self) -> bool:
        return time.monotonic() - self._last < self._beat_every_s * 1.5

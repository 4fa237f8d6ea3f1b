"""The heartbeat of this process; without one, the process ends itself.

A process that cannot send its heartbeat must assume that others have taken over its work, and that each further call
is paid for twice. So it exits before others may take over (``FENCE_S`` < ``DEAD_AFTER_S``).
"""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psycopg

from combine.storage.server.beat import BeatConnection

BEAT_EVERY_S = 5.0
FENCE_S = 20.0
DEAD_AFTER_S = 30.0
EXIT_FENCED = 70


_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PIDS = Path("/proc/self/ns/pid")


def machine_name() -> str:
    """The host name, and a hash of the boot and the pid namespace. Processes with the same name share their pids.

    The host name alone is not enough: containers and cloned machines may have the same one.
    """
    try:
        place = f"{_BOOT.read_text().strip()} {_PIDS.readlink()}"
    except OSError:  # not Linux
        place = f"{uuid.getnode():x}"
    return f"{socket.gethostname()}/{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def exit_fenced() -> None:
    """End the process at once, with a message."""
    sys.stderr.write(
        f"combine: no heartbeat reached the database for {FENCE_S:.0f} s; stopping, so that another process can "
        "take over. Finished work is saved. Continue with: combine resume ID\n"
    )
    sys.stderr.flush()
    os._exit(EXIT_FENCED)


class Heartbeat:
    """One thread sends, with its own connection, and one watches it: a heartbeat may hang if the database hangs."""

    def __init__(
        self,
        connection: BeatConnection,
        *,
        beat_every_s: float = BEAT_EVERY_S,
        fence_s: float = FENCE_S,
        on_fenced: Callable[[], None] = exit_fenced,
    ) -> None:
        self._connection = connection
        self._beat_every_s = beat_every_s
        self._fence_s = fence_s
        self._on_fenced = on_fenced
        self._stop = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="combine-heartbeat", daemon=True)
        self._watching = threading.Thread(target=self._watch, name="combine-fence", daemon=True)
        self._last = 0.0

    def start(self, *, kind: str, queue: str, version: str) -> None:
        """Commit the first heartbeat, then continue in the background. Raises psycopg.Error if the first one fails."""
        self._connection.register(kind=kind, queue=queue, host=machine_name(), pid=os.getpid(), version=version)
        self._last = time.monotonic()
        self._beating.start()
        self._watching.start()

    def stop(self) -> None:
        """End the threads and delete this process's row, so that others can take what it still holds at once.

        Does nothing if it was never started.
        """
        self._stop.set()
        if self._beating.ident is None:
            return
        self._beating.join(timeout=2 * self._beat_every_s)
        if self._beating.is_alive():
            return  # it hangs in the database; the row expires
        try:
            self._connection.remove()
        except psycopg.Error:
            pass  # the row expires
        finally:
            self._connection.close()

    def _beat(self) -> None:
        while not self._stop.wait(self._beat_every_s if self._fresh() else 0.5):
            # Checked before the heartbeat: a process that was stopped (SIGSTOP) must not revive itself.
            if self._late():
                self._fence()
                return
            began = time.monotonic()
            try:
                if not self._connection.beat():
                    self._fence()
                    return
            except psycopg.Error:
                continue
            self._last = began

    def _watch(self) -> None:
        while not self._stop.wait(min(0.5, self._fence_s / 4)):
            if self._late():
                self._fence()
                return

    def _fence(self) -> None:
        if not self._stop.is_set():
            self._on_fenced()

    def _late(self) -> bool:
        return time.monotonic() - self._last > self._fence_s

    def _fresh(self) -> bool:
        return time.monotonic() - self._last < self._beat_every_s * 1.5

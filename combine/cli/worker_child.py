"""The worker beside a server: a child process that is started again when it ends, and that ends with its parent."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 15.0
_STEADY_S: Final = 60.0
"""One that has lived so long begins with a short pause again."""
_BEYOND_GRACE_S: Final = 10.0

_log = logging.getLogger(__name__)


class WorkerChild:
    """``combine worker`` in a session of its own, so that Ctrl-C reaches it through the parent alone.

    Its standard input is a pipe that nothing is written to: it ends when the parent dies, however that dies, and then
    the worker drains.
    """

    def __init__(
        self,
        *,
        grace_s: float,
        debug: bool = False,
        command: Sequence[str] = (),
        first_pause_s: float = FIRST_PAUSE_S,
        before_again: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """``grace_s``: how long the worker lets calls in flight end. ``command``: another program, for tests.

        ``before_again``: what is waited for before a worker that has ended is started again.
        """
        self._command = command or _command(debug=debug)
        self._grace_s = grace_s
        self._first_pause_s = first_pause_s
        self._before_again = before_again
        self.process: asyncio.subprocess.Process | None = None
        self.starts = 0

    async def run(self) -> None:
        """For ever. When cancelled, the worker is asked to stop, and has its grace time to do so."""
        pause = self._first_pause_s
        while True:
            began = monotonic()
            try:
                code = await self._one()
            except OSError as error:  # no memory, too many processes: the server goes on, and tries again
                _log.warning("The worker cannot be started (%s); that is tried again in %g s", error, pause)
            else:
                if monotonic() - began > _STEADY_S:
                    pause = self._first_pause_s
                _log.warning("The worker has ended (exit code %d) and is started again in %g s", code, pause)
            await asyncio.sleep(pause)
            if self._before_again is not None:
                await self._before_again()
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _one(self) -> int:
        """One worker from its start to its end; the exit code."""
        self.process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, start_new_session=True
        )
        self.starts += 1
        try:
            return await self.process.wait()
        finally:
            await self._stop(self.process)

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._grace_s + _BEYOND_GRACE_S)
        except TimeoutError:
            _log.warning("The worker did not stop in time and is killed; another one will take over what it had")
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _command(*, debug: bool) -> list[str]:
    return [sys.executable, "-m", "combine", *(["--debug"] if debug else []), "worker", "--stop-with-stdin"]

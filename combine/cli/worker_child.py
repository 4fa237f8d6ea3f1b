"""The worker process of a server: restarted when it exits, and stopped when the server exits."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final

from combine.backoff import Backoff

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 15.0
_STEADY_S: Final = 60.0
"""A worker that ran this long is restarted after the short pause again."""
_BEYOND_GRACE_S: Final = 10.0

_log = logging.getLogger(__name__)


class WorkerChild:
    """``combine worker`` in its own session, so that Ctrl-C reaches it only through the parent.

    Its standard input is a pipe that nothing is written to. The pipe closes when the parent dies, however it dies, and
    the worker then drains.
    """

    def __init__(
        self,
        *,
        grace_s: float,
        debug: bool = False,
        command: Sequence[str] = (),
        first_pause_s: float = FIRST_PAUSE_S,
        before_restart: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """``grace_s``: how long the worker waits for calls in flight. ``command``: another program, for tests.

        ``before_restart``: awaited before a worker that has exited is started again.
        """
        self._command = command or _command(debug=debug)
        self._grace_s = grace_s
        self._first_pause_s = first_pause_s
        self._before_restart = before_restart
        self.process: asyncio.subprocess.Process | None = None
        self.starts = 0

    async def run(self) -> None:
        """Run until cancelled; then ask the worker to stop and wait for its grace period."""
        backoff = Backoff(self._first_pause_s, LONGEST_PAUSE_S)
        while True:
            began = monotonic()
            try:
                code = await self._run_once()
            except OSError as error:  # out of memory, too many processes: keep serving and retry
                pause = backoff.next_s()
                _log.warning("Could not start the worker (%s); retrying in %.1f s", error, pause)
            else:
                if monotonic() - began > _STEADY_S:
                    backoff.reset()
                pause = backoff.next_s()
                _log.warning("The worker exited with code %d; restarting it in %.1f s", code, pause)
            await asyncio.sleep(pause)
            if self._before_restart is not None:
                await self._before_restart()

    async def _run_once(self) -> int:
        """Run one worker process. Returns its exit code."""
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
            _log.warning("The worker did not stop in time and was killed; another worker takes over its executions")
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _command(*, debug: bool) -> list[str]:
    return [sys.executable, "-m", "combine", *(["--debug"] if debug else []), "worker", "--stop-with-stdin"]

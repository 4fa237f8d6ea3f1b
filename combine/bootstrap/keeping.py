"""Restarts the embedded database if it dies while the server is running."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic, time
from typing import Final

from combine.backoff import Backoff
from combine.bootstrap import Report
from combine.errors import Unavailable
from combine.storage.core.listener import EventListener
from combine.storage.server.embedded import EmbeddedServer, start_embedded
from combine.storage.server.embedded_host import prepare_host

_LOOK_S: Final = 0.5
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_STEADY_S: Final = 60.0
"""After this long without failures the pause is reset."""
_STOPPING_S: Final = 120.0
"""A server that has been stopping for longer than this died while stopping."""
_START: Final = timedelta(seconds=10)
"""How long to wait for one start, even if our server stops in the meantime; a recovery continues on its own."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def keep_running(data_dir: Path, listener: EventListener, report: Report) -> AsyncIterator[None]:
    """While this is open, an embedded server that has died is restarted.

    One that was stopped on purpose (`combine db stop`) is left alone: its files may be being copied.
    """
    task = asyncio.create_task(_keep(data_dir, listener, report), name="database-keeper")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def wait_while_stopped(data_dir: Path) -> None:
    """Wait while the embedded server is stopped on purpose."""
    while await asyncio.to_thread(_was_stopped, data_dir):  # noqa: ASYNC110 - another process starts it
        await asyncio.sleep(_FIRST_PAUSE_S)


async def _keep(data_dir: Path, listener: EventListener, report: Report) -> None:
    """Never returns. The listener's permanent connection shows at once that the server is gone."""
    backoff, last_failure = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S), monotonic()
    while True:
        await asyncio.sleep(_LOOK_S)
        if listener.is_connected:
            if monotonic() - last_failure > _STEADY_S:
                backoff.reset()
            continue
        last_failure, pause = monotonic(), backoff.next_s()
        try:
            if await asyncio.to_thread(_was_stopped, data_dir):
                backoff.reset()
                await asyncio.sleep(_FIRST_PAUSE_S)
                continue
            if (await asyncio.to_thread(_start, data_dir, report)).started_now:
                _log.warning("The embedded database died and was restarted")
        except (Unavailable, OSError) as error:
            _log.warning("The embedded database died and could not be restarted; retrying in %.1f s: %s", pause, error)
        await asyncio.sleep(pause)


def _start(data_dir: Path, report: Report) -> EmbeddedServer:
    return start_embedded(data_dir, report=report, give_up_after=_START)


def _was_stopped(data_dir: Path) -> bool:
    """Whether it was shut down or is shutting down, or its files are gone; after a crash its state is different.

    PostgreSQL records the state last, when all connections are closed; its pid file shows earlier that it is stopping.
    """
    host = prepare_host(data_dir)
    if not host.cluster.exists() or _is_stopping(host.cluster / "postmaster.pid"):
        return True
    output = host.run("pg_controldata", "-D", str(host.cluster)).stdout
    state = next((line.partition(":")[2].strip() for line in output.splitlines() if "cluster state" in line), "")
    return state == "shut down"


def _is_stopping(pid_file: Path) -> bool:
    try:
        lines = pid_file.read_text().splitlines()
        just_now = time() - pid_file.stat().st_mtime < _STOPPING_S
    except FileNotFoundError:
        return False
    return "stopping" in [line.strip() for line in lines] and just_now

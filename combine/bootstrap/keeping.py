"""Starts the embedded database again under a server that goes on, when somebody or something has killed it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic, time
from typing import Final

from combine.bootstrap import Report
from combine.errors import Unavailable
from combine.storage.core.listener import EventListener
from combine.storage.server.embedded import EmbeddedServer, start_embedded
from combine.storage.server.embedded_host import prepare_host

_LOOK_S: Final = 0.5
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
_STEADY_S: Final = 60.0
"""After so long without trouble it begins with a short pause again."""
_STOPPING_S: Final = 120.0
"""What says for longer that it stops has died over it."""
_START: Final = timedelta(seconds=10)
"""How long one start is waited for, also by a server that stops meanwhile; a recovery goes on by itself."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def kept_up(data_dir: Path, listener: EventListener, report: Report) -> AsyncIterator[None]:
    """As long as this lasts, an embedded server that has died is started again.

    One that was stopped in order (`combine db stop`) is left alone: perhaps its files are being copied.
    """
    task = asyncio.create_task(_keep(data_dir, listener, report), name="database-keeper")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until_wanted(data_dir: Path) -> None:
    """Until the embedded server is not, or no longer, one that was stopped in order."""
    while await asyncio.to_thread(_was_stopped, data_dir):  # noqa: ASYNC110 - whoever starts it is another process
        await asyncio.sleep(_FIRST_PAUSE_S)


async def _keep(data_dir: Path, listener: EventListener, report: Report) -> None:
    """For ever. The listener's connection, which stands all the time, tells at once that the server has gone."""
    pause, last_fault = _FIRST_PAUSE_S, monotonic()
    while True:
        await asyncio.sleep(_LOOK_S)
        if listener.is_connected:
            if monotonic() - last_fault > _STEADY_S:
                pause = _FIRST_PAUSE_S
            continue
        last_fault = monotonic()
        try:
            if await asyncio.to_thread(_was_stopped, data_dir):
                await asyncio.sleep(_FIRST_PAUSE_S)
                continue
            if (await asyncio.to_thread(_start, data_dir, report)).started_now:
                _log.warning("The embedded database had died and was started again")
        except (Unavailable, OSError) as error:
            _log.warning("The embedded database has died: %s That is tried again in %g s", error, pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _start(data_dir: Path, report: Report) -> EmbeddedServer:
    return start_embedded(data_dir, report=report, give_up_after=_START)


def _was_stopped(data_dir: Path) -> bool:
    """Whether it ends or has ended in order, or its files are gone; after a crash its own record says something else.

    The record is written last, when all connections have been cut already; that it stops stands in its pid file first.
    """
    host = prepare_host(data_dir)
    if not host.cluster.exists() or _is_stopping(host.cluster / "postmaster.pid"):
        return True
    said = host.run("pg_controldata", "-D", str(host.cluster)).stdout
    state = next((line.partition(":")[2].strip() for line in said.splitlines() if "cluster state" in line), "")
    return state == "shut down"


def _is_stopping(pid_file: Path) -> bool:
    try:
        lines = pid_file.read_text().splitlines()
        just_now = time() - pid_file.stat().st_mtime < _STOPPING_S
    except FileNotFoundError:
        return False
    return "stopping" in [line.strip() for line in lines] and just_now

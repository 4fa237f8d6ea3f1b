"""``combine worker``: takes executions from the queue that all workers share."""

from __future__ import annotations

import asyncio
import sys

from combine.bootstrap import open_working
from combine.cli.exit_codes import ExitCode
from combine.cli.places import prepare_here
from combine.cli.runtime import say
from combine.cli.wording import duration
from combine.storage.core.urls import display_url


async def work(*, stop_with_stdin: bool = False) -> int:
    """Until Ctrl-C or SIGTERM; then calls in flight may end, and the rest goes back to the queue.

    ``stop_with_stdin``: also when standard input, a pipe, ends: whoever holds its other end has died.
    """
    settings = prepare_here("worker", log_level="info", warn=not stop_with_stdin)
    try:
        async with open_working(settings, say, kind="worker", shared=True) as working:
            say(
                f"Worker ready: up to {settings.worker_concurrency} executions at a time from "
                f"{display_url(working.database.url)}. Ctrl-C or SIGTERM ends it."
            )
            try:
                await (_stdin_ended() if stop_with_stdin else asyncio.Event().wait())
            finally:
                say(f"Stopping; calls in flight have {duration(settings.drain_grace.total_seconds())} to end.")
    except asyncio.CancelledError:
        pass
    say("Stopped. What was not finished went back to the queue.")
    return ExitCode.COMPLETED


async def _stdin_ended() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while await reader.read(1024):
            pass
    finally:
        transport.close()

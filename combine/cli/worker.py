"""``combine worker``: runs executions from the queue shared by all workers."""

from __future__ import annotations

import asyncio
import sys

from combine.bootstrap import open_working
from combine.cli.backend import prepare_local
from combine.cli.exit_codes import ExitCode
from combine.cli.formatting import duration
from combine.cli.runtime import say
from combine.storage.core.urls import display_url


async def work(*, stop_with_stdin: bool = False) -> int:
    """Run until Ctrl-C or SIGTERM, then let calls in flight finish and return the rest to the queue.

    ``stop_with_stdin``: stop also when standard input, a pipe, is closed because the process at its other end has died.
    """
    settings = prepare_local("worker", log_level="info", warn=not stop_with_stdin)
    try:
        async with open_working(settings, say, kind="worker", shared=True) as opened:
            say(
                f"Worker ready: runs up to {settings.worker_concurrency} executions at a time from "
                f"{display_url(opened.database.url)}. Press Ctrl-C to stop."
            )
            try:
                await (_stdin_ended() if stop_with_stdin else asyncio.Event().wait())
            finally:
                grace = duration(settings.drain_grace.total_seconds())
                say(f"Stopping; waiting up to {grace} for calls in flight.")
    except asyncio.CancelledError:
        pass
    say("Stopped. Unfinished executions were returned to the queue.")
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

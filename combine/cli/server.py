"""The server of ``combine serve`` and the worker beside it, from the opened database to the end."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from socket import socket

from combine.bootstrap.serving import Serving, open_serving
from combine.cli.http_server import HttpServer
from combine.cli.runtime import DEBUG, say
from combine.cli.worker_child import WorkerChild
from combine.main import create_app, public_url_of
from combine.settings import Settings


async def run_server(settings: Settings, sockets: list[socket], *, worker: bool) -> None:
    """Until cancelled, or until the server ends by itself."""
    async with open_serving(settings, say) as serving:
        await _serve(settings, serving, sockets, worker=worker)


async def _serve(settings: Settings, serving: Serving, sockets: list[socket], *, worker: bool) -> None:
    grace_s = settings.request_timeout.total_seconds()
    server = HttpServer(
        create_app(settings, serving=serving), trusted_proxies=settings.trusted_proxies, grace_s=grace_s
    )
    serving_it = asyncio.create_task(server.serve(sockets), name="http-server")
    tasks = [serving_it]
    try:
        await _until(server.ready, serving_it)
        _keep_what_is_there()
        _tell(settings, serving, worker=worker)
        if worker:
            child = WorkerChild(
                grace_s=settings.drain_grace.total_seconds(), debug=DEBUG.get(), before_again=serving.database_wanted
            )
            tasks.append(asyncio.create_task(child.run(), name="worker-child"))
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        say("Stopping; requests and calls in flight may end.")
        serving.feed.cut_all()
        server.should_exit = True
        for task in tasks[1:]:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for fault in ended:
        if isinstance(fault, Exception):
            raise fault


async def _until(ready: asyncio.Event, task: asyncio.Task[None]) -> None:
    """Until the server is ready, or has ended before it was."""
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([waiting, task], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting


def _keep_what_is_there() -> None:
    """Take everything made so far out of garbage collection: looking through it would stop all requests for 100 ms."""
    gc.collect()
    gc.freeze()


def _tell(settings: Settings, serving: Serving, *, worker: bool) -> None:
    url = public_url_of(settings)
    beside = "a worker starts beside it" if worker else "no worker beside it"
    say(f"Ready at {url} ({beside}). Ctrl-C or SIGTERM ends it.")
    if serving.one_time_links is not None:
        say(f"Sign in, once, within ten minutes: {url}/login/local?key={serving.one_time_links.issue()}")

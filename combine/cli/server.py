"""The HTTP server of ``combine serve`` and its worker process, once the database is up."""

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
    """Run until cancelled, or until the server stops."""
    async with open_serving(settings, say) as serving:
        await _serve(settings, serving, sockets, worker=worker)


async def _serve(settings: Settings, serving: Serving, sockets: list[socket], *, worker: bool) -> None:
    grace_s = settings.request_timeout.total_seconds()
    server = HttpServer(
        create_app(settings, serving=serving), trusted_proxies=settings.trusted_proxies, grace_s=grace_s
    )
    http = asyncio.create_task(server.serve(sockets), name="http-server")
    tasks = [http]
    try:
        await _until(server.ready, http)
        _freeze_garbage_collector()
        _announce(settings, serving, worker=worker)
        if worker:
            child = WorkerChild(
                grace_s=settings.drain_grace.total_seconds(),
                debug=DEBUG.get(),
                before_restart=serving.wait_for_database,
            )
            tasks.append(asyncio.create_task(child.run(), name="worker-child"))
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        say("Stopping; finishing requests and calls in flight.")
        serving.feed.cut_all()
        server.should_exit = True
        for task in tasks[1:]:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for result in ended:
        if isinstance(result, Exception):
            raise result


async def _until(ready: asyncio.Event, task: asyncio.Task[None]) -> None:
    """Wait until the server is ready or has failed to start."""
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([waiting, task], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting


def _freeze_garbage_collector() -> None:
    """Exclude all objects created so far from garbage collection, which would pause all requests for 100 ms."""
    gc.collect()
    gc.freeze()


def _announce(settings: Settings, serving: Serving, *, worker: bool) -> None:
    url = public_url_of(settings)
    say(f"Ready at {url} ({'starting a worker' if worker else 'no worker'}). Press Ctrl-C to stop.")
    if serving.one_time_links is not None:
        link = f"{url}/login/local?key={serving.one_time_links.issue()}"
        say(f"Sign in with this link (valid once, for ten minutes): {link}")

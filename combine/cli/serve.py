"""``combine serve``: the HTTP server, and a worker beside it."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
from collections.abc import Sequence
from contextlib import suppress
from socket import socket

from combine.bootstrap.serving import Serving, open_serving
from combine.cli.exit_codes import ExitCode
from combine.cli.http_server import HttpServer, bind, is_loopback
from combine.cli.places import prepare_here
from combine.cli.runtime import DEBUG, say
from combine.cli.worker_child import WorkerChild
from combine.errors import Invalid
from combine.main import create_app, public_url_of
from combine.settings import Settings

_log = logging.getLogger(__name__)


async def serve(host: str | None, port: int | None, *, worker: bool) -> int:
    """Until Ctrl-C or SIGTERM; then live events end, requests in flight are finished, and the worker drains."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = prepare_here("serve", log_level="info").model_copy(update=given)
    sockets = bind(settings.host, settings.port)
    try:
        _refuse_strangers(settings, sockets)
        settings = settings.model_copy(update={"port": sockets[0].getsockname()[1]})
        _allow_many_connections()
        async with open_serving(settings, say) as serving:
            await _serve(settings, serving, sockets, worker=worker)
    except asyncio.CancelledError:
        say("Stopped.")
        return ExitCode.COMPLETED
    finally:
        for one in sockets:
            one.close()
    return ExitCode.OTHER


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
            child = WorkerChild(grace_s=settings.drain_grace.total_seconds(), debug=DEBUG.get())
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


def _refuse_strangers(settings: Settings, sockets: Sequence[socket]) -> None:
    """Raises Invalid where others could reach a server that cannot tell who they are."""
    if is_loopback(sockets):
        return
    if not settings.oidc_providers:
        raise Invalid(
            f"{settings.host} can be reached by others, and nobody could sign in.",
            code="sign_in_needed",
            hint="Set up a sign-in provider with COMBINE_OIDC_PROVIDERS, or listen on 127.0.0.1.",
        )
    if settings.public_url is None:
        raise Invalid(
            f"{settings.host} can be reached by others, and it is not known under which name.",
            code="public_url_needed",
            hint="Set COMBINE_PUBLIC_URL to what people type, such as https://combine.example.org.",
        )
    if not settings.public_url.startswith("https:"):
        say("Warning: COMBINE_PUBLIC_URL is plain http: whoever is on the way can read sessions and tokens.")


def _allow_many_connections() -> None:
    """Raise the number of open files to what the machine allows; each event stream is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

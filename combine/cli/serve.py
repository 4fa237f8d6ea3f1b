"""``combine serve``: where it listens, and the start, in which the program is loaded while the database comes up."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Sequence
from contextlib import suppress
from socket import socket

from combine.cli.exit_codes import ExitCode
from combine.cli.places import prepare_here
from combine.cli.runtime import say
from combine.cli.sockets import bind, is_loopback
from combine.errors import Invalid
from combine.settings import Settings
from combine.storage.server.embedded import start_embedded
from combine.workflows.catalog import load_catalog


async def serve(host: str | None, port: int | None, *, worker: bool) -> int:
    """Until Ctrl-C or SIGTERM; then live events end, requests in flight are finished, and the worker drains."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = prepare_here("serve", log_level="info").model_copy(update=given)
    sockets = bind(settings.host, settings.port)
    try:
        _refuse_strangers(settings, sockets)
        settings = settings.model_copy(update={"port": sockets[0].getsockname()[1]})
        _allow_many_connections()
        load_catalog(settings.workflows_dir)  # what is wrong with it is said before a database starts
        database = _begin_database(settings)
        from combine.cli.server import run_server  # noqa: PLC0415 - takes as long as a new database, which is begun

        await database
        await run_server(settings, sockets, worker=worker)
    except asyncio.CancelledError:
        say("Stopped.")
        return ExitCode.COMPLETED
    finally:
        for one in sockets:
            one.close()
    return ExitCode.OTHER


def _begin_database(settings: Settings) -> asyncio.Future[None]:
    """Start the embedded database in a thread, if there is none of the user's own; then it is up when it is opened."""

    def start() -> None:
        if settings.database_url is None:
            start_embedded(settings.data_dir, report=say)

    return asyncio.get_running_loop().run_in_executor(None, start)


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

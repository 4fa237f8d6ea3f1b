"""``combine serve``: opens the port, then loads the program while the database starts."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Sequence
from contextlib import suppress
from socket import socket

from combine.cli.backend import prepare_local
from combine.cli.exit_codes import ExitCode
from combine.cli.runtime import say
from combine.cli.sockets import bind, is_loopback
from combine.errors import Invalid
from combine.settings import Settings
from combine.storage.server.embedded import start_embedded
from combine.workflows.catalog import load_catalog


async def serve(host: str | None, port: int | None, *, worker: bool) -> int:
    """Run until Ctrl-C or SIGTERM, then end event streams, finish requests in flight and let the worker drain."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = prepare_local("serve", log_level="info").model_copy(update=given)
    sockets = bind(settings.host, settings.port)
    try:
        _check_access(settings, sockets)
        settings = settings.model_copy(update={"port": sockets[0].getsockname()[1]})
        _allow_many_connections()
        load_catalog(settings.workflows_dir)  # report errors in it before a database is started
        database = _start_database(settings)
        from combine.cli.server import run_server  # noqa: PLC0415 - takes as long as the database start above

        await database
        await run_server(settings, sockets, worker=worker)
    except asyncio.CancelledError:
        say("Stopped.")
        return ExitCode.COMPLETED
    finally:
        for one in sockets:
            one.close()
    return ExitCode.OTHER


def _start_database(settings: Settings) -> asyncio.Future[None]:
    """Start the embedded database in a thread, unless an external one is configured."""

    def start() -> None:
        if settings.database_url is None:
            start_embedded(settings.data_dir, report=say)

    return asyncio.get_running_loop().run_in_executor(None, start)


def _check_access(settings: Settings, sockets: Sequence[socket]) -> None:
    """Raises Invalid if other machines could reach a server that cannot authenticate users."""
    if is_loopback(sockets):
        return
    if not settings.oidc_providers:
        raise Invalid(
            f"{settings.host} is reachable from other machines, but no sign-in provider is configured.",
            code="sign_in_needed",
            hint="Configure one with COMBINE_OIDC_PROVIDERS, or listen on 127.0.0.1.",
        )
    if settings.public_url is None:
        raise Invalid(
            f"{settings.host} is reachable from other machines, but no public URL is configured.",
            code="public_url_needed",
            hint="Set COMBINE_PUBLIC_URL to the URL that users open, for example https://combine.example.org.",
        )
    if not settings.public_url.startswith("https:"):
        say("Warning: COMBINE_PUBLIC_URL uses plain http: sessions and tokens are sent unencrypted.")


def _allow_many_connections() -> None:
    """Raise the limit of open files to the maximum allowed; each event stream needs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

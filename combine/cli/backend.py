"""Chooses what runs a command: services in this process, or a server. No other module checks for a server."""

from __future__ import annotations

from combine.cli.ports import Backend
from combine.cli.remote.address import parse_address
from combine.cli.runtime import prepare, say
from combine.errors import Invalid
from combine.settings import Settings


def choose_backend() -> Backend:
    """The backend that options and settings select. Raises Invalid."""
    settings = prepare()
    if settings.server is None:
        from combine.cli.local import LocalBackend  # noqa: PLC0415 - a server needs no database driver here

        return LocalBackend(settings, say)
    from combine.cli.remote.backend import server_backend  # noqa: PLC0415 - without a server no HTTP client is needed

    return server_backend(settings.server, settings.token, settings.workflows_dir, say)


def prepare_local(command: str, *, log_level: str | None = None, warn: bool = True) -> Settings:
    """The settings for a command that cannot use a server. Raises Invalid if a server is set."""
    settings = prepare(log_level=log_level, warn=warn)
    if settings.server is not None:
        raise Invalid(
            f"`combine {command}` runs on this machine only, not on {parse_address(settings.server)}.",
            code="server_unexpected",
            hint="Remove --server, unset COMBINE_SERVER, and run the command on the machine itself.",
        )
    return settings


async def run_doctor(*, json: bool) -> int:
    """``combine doctor``, for this machine or for a server."""
    settings = prepare(warn=False)  # doctor shows unknown variables in its own output
    if settings.server is None:
        from combine.cli.doctor import check_local  # noqa: PLC0415 - as above

        return await check_local(settings, json=json)
    from combine.cli.remote.doctor import check_server  # noqa: PLC0415 - as above

    return await check_server(settings.server, settings, json=json)

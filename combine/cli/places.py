"""Chooses where a command works. The only module that asks whether there is a server."""

from __future__ import annotations

from combine.cli.ports import Place
from combine.cli.remote.address import address
from combine.cli.runtime import prepare, say
from combine.errors import Invalid
from combine.settings import Settings


def the_place() -> Place:
    """Where this command works, by its options and settings. Raises Invalid."""
    settings = prepare()
    if settings.server is None:
        from combine.cli.local import Here  # noqa: PLC0415 - a server needs no database driver here

        return Here(settings, say)
    from combine.cli.remote.place import at_server  # noqa: PLC0415 - without a server nothing speaks HTTP

    return at_server(settings.server, settings.token, settings.workflows_dir, say)


def prepare_here(command: str, *, log_level: str | None = None, warn: bool = True) -> Settings:
    """The settings for a command that no server does. Raises Invalid if one is named."""
    settings = prepare(log_level=log_level, warn=warn)
    if settings.server is not None:
        raise Invalid(
            f"`combine {command}` works on this machine, not at {address(settings.server)}.",
            code="server_unexpected",
            hint="Leave --server out and unset COMBINE_SERVER, on the machine that is meant.",
        )
    return settings


async def check_up(*, json: bool) -> int:
    """``combine doctor``: of the database, or of the server."""
    settings = prepare(warn=False)  # it has a place of its own for that
    if settings.server is None:
        from combine.cli.checkup import check  # noqa: PLC0415 - as above

        return await check(settings, json=json)
    from combine.cli.remote.checkup import check_server  # noqa: PLC0415 - as above

    return await check_server(settings.server, settings, json=json)

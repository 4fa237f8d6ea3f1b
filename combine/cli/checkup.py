"""``combine doctor``: database, schema, providers, processes and settings, without changing or spending anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from combine import __version__
from combine.bootstrap import doctor
from combine.cli.exit_codes import ExitCode
from combine.cli.looking import as_json
from combine.cli.runtime import put
from combine.cli.shown_settings import mark, masked, settings_page
from combine.cli.tables import table
from combine.cli.wording import duration
from combine.services.doctor import DatabaseHealth, ProviderView
from combine.settings import Settings, unknown_variables


async def check(settings: Settings, *, json: bool) -> int:
    """Exit code 1 if the database fails, 6 if a provider that is set up fails, else 0."""
    service = doctor(settings)
    database, providers = await service.database(), await service.providers()
    shown, unknown = masked(settings), unknown_variables(os.environ)
    if json:
        put(
            as_json(
                {
                    "version": __version__,
                    "database": asdict(database),
                    "providers": [asdict(provider) for provider in providers],
                    "settings": shown,
                    "unknown_variables": unknown,
                }
            )
        )
    else:
        put("\n".join(_page(database, providers, shown, unknown)))
    if not database.ok:
        return ExitCode.OTHER
    return ExitCode.PROVIDER if any(one.configured and not one.ok for one in providers) else ExitCode.COMPLETED


def _page(
    database: DatabaseHealth,
    providers: tuple[ProviderView, ...],
    settings: dict[str, Any],
    unknown: dict[str, str | None],
) -> Iterator[str]:
    yield f"combine {__version__}"
    yield ""
    yield f"Database   {mark(ok=database.ok)}  {database.kind}: {database.place}"
    yield f"               {database.message}"
    if database.up:
        yield (
            f"               PostgreSQL {database.server_version}, schema {database.schema_version or 'empty'} "
            f"(this version: {database.wanted_schema_version})"
        )
    yield ""
    for number, one in enumerate(providers):
        sign = mark(ok=one.ok) if one.configured else "--"
        yield f"{'Providers' if number == 0 else '':<9}  {sign}  {one.name}: {one.message}"
    yield ""
    if database.executors:
        yield "Processes"
        rows = [
            (
                one.kind,
                f"{one.host}:{one.pid}",
                one.version,
                "alive" if one.alive else "gone",
                f"{duration(one.silent_s)} ago",
            )
            for one in database.executors
        ]
        yield from table(("KIND", "HOST:PID", "VERSION", "STATE", "LAST HEARD"), rows, indent="  ")
    else:
        yield "Processes  none works at present"
    yield ""
    yield from settings_page(settings, unknown)

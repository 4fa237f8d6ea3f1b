"""``combine doctor``: checks database, providers, processes and settings without changing or spending anything.

The check of a server is in ``remote/doctor.py``; it shows the settings in the same way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import timedelta
from json import dumps
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

from combine import __version__
from combine.cli.exit_codes import ExitCode
from combine.cli.formatting import as_json, duration, table
from combine.cli.runtime import put
from combine.settings import Settings, unknown_setting, unknown_variables
from combine.storage.core.urls import display_url

if TYPE_CHECKING:  # loads the database driver, which checking a server does not need
    from combine.services.doctor import DatabaseHealth, ProviderView

_HIDDEN = "(set, not shown)"


async def check_local(settings: Settings, *, json: bool) -> int:
    """Exit code 1 if the database fails, 6 if a configured provider fails, else 0."""
    from combine.bootstrap import doctor_service  # noqa: PLC0415 - as above

    service = doctor_service(settings)
    database, providers = await service.database(), await service.providers()
    shown, unknown = shown_settings(settings), unknown_variables(os.environ)
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
        put("\n".join(_lines(database, providers, shown, unknown)))
    if not database.ok:
        return ExitCode.OTHER
    return ExitCode.PROVIDER if any(one.configured and not one.ok for one in providers) else ExitCode.COMPLETED


def _lines(
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
        yield f"               {postgres_line(database)}"
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
        yield from table(("KIND", "HOST:PID", "VERSION", "STATE", "LAST SEEN"), rows, indent="  ")
    else:
        yield "Processes  none running"
    yield ""
    yield from settings_lines(settings, unknown)


def postgres_line(database: DatabaseHealth) -> str:
    """The versions of the server and of the schema."""
    return (
        f"PostgreSQL {database.server_version}, schema {database.schema_version or 'empty'} "
        f"(this version needs {database.wanted_schema_version})"
    )


def mark(*, ok: bool) -> str:
    """The mark in front of a checked item."""
    return "ok" if ok else "!!"


def shown_settings(settings: Settings) -> dict[str, Any]:
    """Every setting with its effective value; secrets only as set or not set, URLs without passwords."""
    return {name: _shown(name, getattr(settings, name)) for name in type(settings).model_fields}


def _shown(name: str, value: object) -> object:
    match value:
        case SecretStr():
            return display_url(value.get_secret_value()) if name == "database_url" else _HIDDEN
        case str() if "@" in value and "://" in value:
            scheme, _, rest = value.partition("://")
            shown: object = f"{scheme}://{rest.rpartition('@')[2]}"
        case timedelta():
            shown = duration(value.total_seconds())
        case dict():
            shown = {key: _shown(name, one) for key, one in value.items()}
        case BaseModel():
            shown = value.model_dump(mode="json", exclude_none=True)
        case tuple():
            shown = ", ".join(value) or None
        case str() | int() | None:
            shown = value
        case _:
            shown = str(value)
    return shown


def settings_lines(settings: dict[str, Any], unknown: Mapping[str, str | None]) -> Iterator[str]:
    """The settings as a table, after the environment variables that look like settings but are unknown."""
    for number, (name, near) in enumerate(unknown.items()):
        yield f"{'Variables' if number == 0 else '':<9}  {mark(ok=False)}  {unknown_setting(name, near)}"
    if unknown:
        yield ""
    yield "Settings"
    values = [(name, "not set" if value is None else _setting_text(value)) for name, value in settings.items()]
    yield from table(("SETTING", "VALUE"), values, indent="  ")


def _setting_text(value: object) -> str:
    return dumps(value) if isinstance(value, bool | dict) else str(value)

"""``combine doctor``: database, schema, providers, processes and settings, without changing or spending anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from json import dumps
from typing import Any

from pydantic import SecretStr

from combine import __version__
from combine.bootstrap import doctor
from combine.cli.exit_codes import ExitCode
from combine.cli.looking import as_json
from combine.cli.runtime import prepare, put
from combine.cli.tables import table
from combine.cli.wording import duration
from combine.services.doctor import DatabaseHealth, ProviderView
from combine.settings import Settings
from combine.storage.urls import display_url

_HIDDEN = "(set, not shown)"


async def check(*, json: bool) -> int:
    """Exit code 1 if the database fails, 6 if a provider that is set up fails, else 0."""
    settings = prepare()
    service = doctor(settings)
    database, providers = await service.database(), await service.providers()
    shown = masked(settings)
    if json:
        put(
            as_json(
                {
                    "version": __version__,
                    "database": asdict(database),
                    "providers": [asdict(provider) for provider in providers],
                    "settings": shown,
                }
            )
        )
    else:
        put("\n".join(_page(database, providers, shown)))
    if not database.ok:
        return ExitCode.OTHER
    return ExitCode.PROVIDER if any(one.configured and not one.ok for one in providers) else ExitCode.COMPLETED


def masked(settings: Settings) -> dict[str, Any]:
    """Every setting as it is in effect; of secrets only whether they are set, of addresses no password."""
    return {name: _shown(name, getattr(settings, name)) for name in type(settings).model_fields}


def _shown(name: str, value: object) -> object:
    if isinstance(value, SecretStr):
        return display_url(value.get_secret_value()) if name == "database_url" else _HIDDEN
    if isinstance(value, str) and "@" in value and "://" in value:
        scheme, _, rest = value.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"
    if hasattr(value, "total_seconds"):
        return duration(value.total_seconds())
    if isinstance(value, dict):
        return {key: price.model_dump(mode="json", exclude_none=True) for key, price in value.items()}
    return value if isinstance(value, str | int | bool | None) else str(value)


def _page(database: DatabaseHealth, providers: tuple[ProviderView, ...], settings: dict[str, Any]) -> Iterator[str]:
    yield f"combine {__version__}"
    yield ""
    yield f"Database   {_mark(ok=database.ok)}  {database.kind}: {database.place}"
    yield f"               {database.message}"
    if database.up:
        yield (
            f"               PostgreSQL {database.server_version}, schema {database.schema_version or 'empty'} "
            f"(this version: {database.wanted_schema_version})"
        )
    yield ""
    for number, one in enumerate(providers):
        mark = _mark(ok=one.ok) if one.configured else "--"
        yield f"{'Providers' if number == 0 else '':<9}  {mark}  {one.name}: {one.message}"
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
    yield "Settings"
    values = [(name, "not set" if value is None else _words(value)) for name, value in settings.items()]
    yield from table(("SETTING", "VALUE"), values, indent="  ")


def _words(value: object) -> str:
    return dumps(value) if isinstance(value, bool | dict) else str(value)


def _mark(*, ok: bool) -> str:
    return "ok" if ok else "!!"

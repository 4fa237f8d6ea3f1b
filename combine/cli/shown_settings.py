"""The effective settings, as ``combine doctor`` shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from json import dumps
from typing import Any

from pydantic import BaseModel, SecretStr

from combine.cli.tables import table
from combine.cli.wording import duration
from combine.settings import Settings, told_unknown
from combine.storage.core.urls import display_url

_HIDDEN = "(set, not shown)"


def masked(settings: Settings) -> dict[str, Any]:
    """Every setting as it is in effect; of secrets only whether they are set, of addresses no password."""
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


def settings_page(settings: dict[str, Any], unknown: Mapping[str, str | None]) -> Iterator[str]:
    """The same as a table, behind what looks like a setting and is none."""
    for number, (name, near) in enumerate(unknown.items()):
        yield f"{'Variables' if number == 0 else '':<9}  {mark(ok=False)}  {told_unknown(name, near)}"
    if unknown:
        yield ""
    yield "Settings"
    values = [(name, "not set" if value is None else _words(value)) for name, value in settings.items()]
    yield from table(("SETTING", "VALUE"), values, indent="  ")


def mark(*, ok: bool) -> str:
    """What stands before a thing that was looked at."""
    return "ok" if ok else "!!"


def _words(value: object) -> str:
    return dumps(value) if isinstance(value, bool | dict) else str(value)

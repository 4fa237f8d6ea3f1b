"""``combine doctor`` at a server: whether it answers, can work, and knows us. Changes and spends nothing."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from combine import __version__
from combine.cli.exit_codes import ExitCode, of_error
from combine.cli.looking import as_json
from combine.cli.remote.address import Address, address, bearer
from combine.cli.remote.client import API, open_client
from combine.cli.runtime import put
from combine.cli.shown_settings import mark, masked, settings_page
from combine.errors import CombineError
from combine.services.people_views import MeView
from combine.settings import Settings, unknown_variables

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Version:
    version: str


@dataclass(frozen=True, slots=True)
class _Ready:
    status: str


@dataclass(frozen=True, slots=True)
class _Found:
    """What was seen of the server; each fault is None where there is none."""

    server: Address
    version: str | None = None
    fault: CombineError | None = None
    you: MeView | None = None
    your_fault: CombineError | None = None

    @property
    def exit_code(self) -> ExitCode:
        fault = self.fault or self.your_fault
        return ExitCode.COMPLETED if fault is None else of_error(fault)


async def check_server(server: str, settings: Settings, *, json: bool) -> int:
    """Exit code 1 if the server does not answer or cannot work, 2 if it does not know us. Raises Invalid."""
    found = await _look(address(server), settings)
    shown, unknown = masked(settings), unknown_variables(os.environ)
    if json:
        put(as_json({"version": __version__, **_as_object(found), "settings": shown, "unknown_variables": unknown}))
    else:
        put("\n".join(_page(found, shown, unknown)))
    return found.exit_code


async def _look(server: Address, settings: Settings) -> _Found:
    token, no_token = None, None
    try:
        token = bearer(settings.token, server)
    except CombineError as error:
        no_token = error
    async with open_client(server, token) as client:
        version, away = await _tried(client.get(_Version, "/version"))
        if version is None:
            return _Found(server, fault=away)
        _, unready = await _tried(client.get(_Ready, "/health/ready"))
        you, stranger = (None, no_token) if token is None else await _tried(client.get(MeView, f"{API}/me"))
    return _Found(server, version.version, unready, you, stranger)


async def _tried(work: Awaitable[T]) -> tuple[T | None, CombineError | None]:
    try:
        return await work, None
    except CombineError as error:
        return None, error


def _as_object(found: _Found) -> dict[str, Any]:
    return {
        "server": {
            "url": found.server.url,
            "version": found.version,
            "ok": found.fault is None,
            "message": _state(found),
        },
        "you": None if found.you is None else asdict(found.you),
        "you_message": _whom(found),
    }


def _page(found: _Found, settings: dict[str, Any], unknown: dict[str, str | None]) -> Iterator[str]:
    yield f"combine {__version__}"
    yield ""
    yield f"Server     {mark(ok=found.fault is None)}  {found.server}"
    yield f"               {_state(found)}"
    yield f"You        {mark(ok=found.you is not None) if found.version else '--'}  {_whom(found)}"
    yield ""
    yield from settings_page(settings, unknown)


def _state(found: _Found) -> str:
    if found.version is None:
        return _words(found.fault)
    same = "as here" if found.version == __version__ else f"here it is {__version__}"
    return f"Version {found.version} ({same}). {'Ready.' if found.fault is None else _words(found.fault)}"


def _whom(found: _Found) -> str:
    if found.you is not None:
        user = found.you.user
        address_ = f" <{user.email}>" if user.email else ""
        return f"{user.name}{address_}, {user.role} of the installation; the token has the scope {found.you.scope}"
    return _words(found.your_fault) if found.version else "not asked"


def _words(fault: CombineError | None) -> str:
    return "" if fault is None else f"{fault.message} {fault.hint or ''}".strip()

"""``combine doctor`` for a server: does it respond, is it ready, whose token is used. Changes and spends nothing."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from combine import __version__
from combine.cli.doctor import mark, settings_lines, shown_settings
from combine.cli.exit_codes import ExitCode, of_error
from combine.cli.formatting import as_json
from combine.cli.remote.address import Address, bearer_token, parse_address
from combine.cli.remote.client import API, open_client
from combine.cli.runtime import put
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
    """What the checks have found; an error is None if there was none."""

    server: Address
    version: str | None = None
    error: CombineError | None = None
    you: MeView | None = None
    your_error: CombineError | None = None

    @property
    def exit_code(self) -> ExitCode:
        error = self.error or self.your_error
        return ExitCode.COMPLETED if error is None else of_error(error)


async def check_server(server: str, settings: Settings, *, json: bool) -> int:
    """Exit code 1 if the server does not respond or is not ready, 2 if it rejects the token. Raises Invalid."""
    found = await _check(parse_address(server), settings)
    shown, unknown = shown_settings(settings), unknown_variables(os.environ)
    if json:
        put(as_json({"version": __version__, **_as_object(found), "settings": shown, "unknown_variables": unknown}))
    else:
        put("\n".join(_lines(found, shown, unknown)))
    return found.exit_code


async def _check(server: Address, settings: Settings) -> _Found:
    token, no_token = None, None
    try:
        token = bearer_token(settings.token, server)
    except CombineError as error:
        no_token = error
    async with open_client(server, token) as client:
        version, version_error = await _attempt(client.get(_Version, "/version"))
        if version is None:
            return _Found(server, error=version_error)
        _, readiness_error = await _attempt(client.get(_Ready, "/health/ready"))
        you, your_error = (None, no_token) if token is None else await _attempt(client.get(MeView, f"{API}/me"))
    return _Found(server, version.version, readiness_error, you, your_error)


async def _attempt(work: Awaitable[T]) -> tuple[T | None, CombineError | None]:
    try:
        return await work, None
    except CombineError as error:
        return None, error


def _as_object(found: _Found) -> dict[str, Any]:
    return {
        "server": {
            "url": found.server.url,
            "version": found.version,
            "ok": found.error is None,
            "message": _state(found),
        },
        "you": None if found.you is None else asdict(found.you),
        "you_message": _identity(found),
    }


def _lines(found: _Found, settings: dict[str, Any], unknown: dict[str, str | None]) -> Iterator[str]:
    yield f"combine {__version__}"
    yield ""
    yield f"Server     {mark(ok=found.error is None)}  {found.server}"
    yield f"               {_state(found)}"
    yield f"You        {mark(ok=found.you is not None) if found.version else '--'}  {_identity(found)}"
    yield ""
    yield from settings_lines(settings, unknown)


def _state(found: _Found) -> str:
    if found.version is None:
        return _error_text(found.error)
    same = "same as this client" if found.version == __version__ else f"this client is {__version__}"
    return f"Version {found.version} ({same}). {'Ready.' if found.error is None else _error_text(found.error)}"


def _identity(found: _Found) -> str:
    if found.you is not None:
        user = found.you.user
        address_ = f" <{user.email}>" if user.email else ""
        return f"{user.name}{address_}, {user.role} of the installation; token scope: {found.you.scope}"
    return _error_text(found.your_error) if found.version else "not checked"


def _error_text(error: CombineError | None) -> str:
    return "" if error is None else f"{error.message} {error.hint or ''}".strip()

"""Checks database, schema, providers and processes. Starts nothing and spends nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from combine.errors import CombineError
from combine.llm.factory import ProviderFactory
from combine.llm.protocol import ProviderHealth
from combine.services.inspection import executor_view
from combine.services.views import ExecutorView
from combine.storage.core.database import Database
from combine.storage.core.urls import display_url
from combine.storage.executors import Executors
from combine.storage.server.embedded import embedded_status
from combine.storage.server.embedded_host import check_folder
from combine.storage.server.migrate import current_version, head_version
from combine.workflows.models import PROVIDERS, ModelRef

_NEEDS_SETTINGS = frozenset({"api_key_missing", "script_missing"})


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """The database as found."""

    kind: str
    """``embedded`` or ``server``."""
    place: str
    """Folder or address, never a password."""
    up: bool
    ok: bool
    """False: commands that need the database would fail."""
    message: str
    server_version: str | None = None
    schema_version: str | None = None
    """None: the database is empty."""
    wanted_schema_version: str = ""
    executors: tuple[ExecutorView, ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderView:
    """One provider as found."""

    name: str
    configured: bool
    """False: no API key is set, so the provider is not used."""
    ok: bool
    message: str


class DoctorService:
    """Runs the checks; changes nothing."""

    def __init__(self, database_url: str | None, data_dir: Path, providers: ProviderFactory) -> None:
        self._database_url = database_url
        self._data_dir = data_dir
        self._providers = providers

    async def database(self) -> DatabaseHealth:
        """The database; an embedded one that is not running is not started."""
        if self._database_url is not None:
            return await _health("server", display_url(self._database_url), self._database_url)
        place = str(self._data_dir)
        server = await asyncio.to_thread(embedded_status, self._data_dir)
        if server is None:
            return _not_running(self._data_dir)
        return await _health("embedded", f"{place} (pid {server.pid})", server.url)

    async def providers(self) -> tuple[ProviderView, ...]:
        """Every provider, checked concurrently, without spending."""
        try:
            return tuple(await asyncio.gather(*(self._provider(name) for name in PROVIDERS)))
        finally:
            await self._providers.close()

    async def _provider(self, name: str) -> ProviderView:
        try:
            provider = await asyncio.to_thread(self._providers.provider, ModelRef(name, ""))
            health: ProviderHealth = await provider.check()
        except CombineError as error:
            text = f"{error.message} {error.hint or ''}".strip()
            return ProviderView(name, error.code not in _NEEDS_SETTINGS, ok=False, message=text)
        return ProviderView(name, configured=True, ok=health.ok, message=health.message)


def _not_running(data_dir: Path) -> DatabaseHealth:
    message = "Not running; the next command that needs it starts it."
    try:
        check_folder(data_dir)
    except CombineError as error:
        return DatabaseHealth("embedded", str(data_dir), up=False, ok=False, message=f"{error.message} {error.hint}")
    return DatabaseHealth("embedded", str(data_dir), up=False, ok=True, message=message)


async def _health(kind: str, place: str, url: str) -> DatabaseHealth:
    wanted = head_version()
    database = Database(url, pool_size=1)
    try:
        await database.ping()
        server, schema = await database.server_version(), await current_version(url)
        executors = await _executors(database) if schema == wanted else ()
    except CombineError as error:
        text = f"{error.message} {error.hint or ''}".strip()
        return DatabaseHealth(kind, place, up=False, ok=False, message=text, wanted_schema_version=wanted)
    finally:
        await database.close()
    known = schema is None or schema <= wanted
    message = "Running." if known else "The database was upgraded by a newer version of combine; install that version."
    if known and schema != wanted:
        message = "Running; the next command that needs it upgrades the schema (or run: combine db upgrade)."
    return DatabaseHealth(
        kind,
        place,
        up=True,
        ok=known,
        message=message,
        server_version=server,
        schema_version=schema,
        wanted_schema_version=wanted,
        executors=executors,
    )


async def _executors(database: Database) -> tuple[ExecutorView, ...]:
    async with database.read() as session:
        return tuple(executor_view(row) for row in await Executors(session).list())

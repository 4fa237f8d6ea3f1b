"""``combine db``: the database schema and the embedded database."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from combine.bootstrap import database_url, doctor_service
from combine.cli.backend import prepare_local
from combine.cli.doctor import postgres_line
from combine.cli.exit_codes import ExitCode
from combine.cli.formatting import as_json
from combine.cli.runtime import put, say
from combine.errors import Invalid
from combine.storage.core.urls import display_url
from combine.storage.server.embedded import stop_embedded
from combine.storage.server.migrate import head_version
from combine.storage.server.migrate import upgrade as upgrade_schema


async def upgrade(*, json: bool) -> int:
    """Upgrade the schema to this version; the other commands do so automatically."""
    url = await database_url(prepare_local("db upgrade"), say)
    changed = await upgrade_schema(url)
    if json:
        put(as_json({"database": display_url(url), "schema_version": head_version(), "changed": changed}))
    else:
        done = "is now at" if changed else "is already at"
        put(f"{display_url(url)} {done} schema version {head_version()}.")
    return ExitCode.COMPLETED


async def stop(*, json: bool) -> int:
    """Stop the embedded database."""
    settings = prepare_local("db stop")
    if settings.database_url is not None:
        raise Invalid(
            "COMBINE_DATABASE_URL points to an external database, which combine does not stop.",
            code="database_not_embedded",
            hint="Unset COMBINE_DATABASE_URL to stop the embedded database.",
        )
    stopped = await asyncio.to_thread(stop_embedded, settings.data_dir)
    if json:
        put(as_json({"data_dir": str(settings.data_dir), "stopped": stopped}))
    else:
        put(f"The database in {settings.data_dir} {'has been stopped' if stopped else 'is not running'}.")
    return ExitCode.COMPLETED


async def status(*, json: bool) -> int:
    """Show whether the database is up with the right schema, without starting it. Exit code 1 if it cannot be used."""
    health = await doctor_service(prepare_local("db status")).database()
    if json:
        put(as_json(asdict(health)))
    else:
        put(f"{health.kind}: {health.place}\n{health.message}")
        if health.up:
            put(postgres_line(health))
    return ExitCode.COMPLETED if health.ok else ExitCode.OTHER

"""``combine db``: the database's schema, and the embedded server."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from combine.bootstrap import database_url, doctor
from combine.cli.exit_codes import ExitCode
from combine.cli.looking import as_json
from combine.cli.places import prepare_here
from combine.cli.runtime import put, say
from combine.errors import Invalid
from combine.storage.core.urls import display_url
from combine.storage.server.embedded import stop_embedded
from combine.storage.server.migrate import head_version
from combine.storage.server.migrate import upgrade as upgrade_schema


async def upgrade(*, json: bool) -> int:
    """Bring the database to the schema of this version; the other commands do it by themselves."""
    url = await database_url(prepare_here("db upgrade"), say)
    changed = await upgrade_schema(url)
    if json:
        put(as_json({"database": display_url(url), "schema_version": head_version(), "changed": changed}))
    else:
        done = "is now at" if changed else "was already at"
        put(f"{display_url(url)} {done} schema version {head_version()}.")
    return ExitCode.COMPLETED


async def stop(*, json: bool) -> int:
    """Stop the embedded server."""
    settings = prepare_here("db stop")
    if settings.database_url is not None:
        raise Invalid(
            "COMBINE_DATABASE_URL names a server of yours; combine does not stop that.",
            code="database_not_embedded",
            hint="Unset COMBINE_DATABASE_URL to speak of the embedded server.",
        )
    stopped = await asyncio.to_thread(stop_embedded, settings.data_dir)
    if json:
        put(as_json({"data_dir": str(settings.data_dir), "stopped": stopped}))
    else:
        put(f"The database in {settings.data_dir} {'is stopped' if stopped else 'was not running'}.")
    return ExitCode.COMPLETED


async def status(*, json: bool) -> int:
    """Whether the database is up and at the right schema; starts nothing. Exit code 1 if it could not be used."""
    health = await doctor(prepare_here("db status")).database()
    if json:
        put(as_json(asdict(health)))
    else:
        put(f"{health.kind}: {health.place}\n{health.message}")
        if health.up:
            put(
                f"PostgreSQL {health.server_version}, schema {health.schema_version or 'empty'} "
                f"(this version: {health.wanted_schema_version})"
            )
    return ExitCode.COMPLETED if health.ok else ExitCode.OTHER

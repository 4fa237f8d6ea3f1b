"""Creates DBOS's tables, for a process that enqueues segments before any worker has run on the database."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa

from combine.errors import DatabaseUnavailable
from combine.storage.core.database import Database
from combine.storage.core.urls import own_url

TABLES_VERSION = 125
"""The last migration of DBOS 3.4.0; a constant, so that a start need not import DBOS."""


async def make_queue_tables(database: Database) -> bool:
    """Create or migrate DBOS's tables if needed; return whether it was needed.

    Several processes may do this at once: DBOS takes a lock. Raises DatabaseUnavailable.
    """
    async with database.read() as session:
        there = await session.connection.execute(sa.text("SELECT to_regclass('dbos.dbos_migrations')"))
        if there.scalar() is not None:
            version = await session.connection.execute(sa.text("SELECT max(version) FROM dbos.dbos_migrations"))
            if (version.scalar() or 0) >= TABLES_VERSION:
                return False
    await asyncio.to_thread(_migrate, own_url(database.url))
    return True


def _migrate(url: str) -> None:
    from dbos import DBOS  # noqa: PLC0415 - needed once per database, not in every API process

    try:
        DBOS.migrate(url)
    except sa.exc.SQLAlchemyError as error:
        raise DatabaseUnavailable(
            f"Could not create the tables of the queue: {error}", hint="Run `combine doctor` to check the database."
        ) from error

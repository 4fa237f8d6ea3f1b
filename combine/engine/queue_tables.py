"""DBOS's tables, for a process that puts segments in the queue and may come before any worker has made them."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa

from combine.errors import DatabaseUnavailable
from combine.storage.core.database import Database

TABLES_VERSION = 125
"""How far DBOS 3.4.0 migrates; written here so that a start need not import DBOS to know it."""


async def make_queue_tables(database: Database) -> bool:
    """Make or complete DBOS's tables if they are missing or old; return whether there was anything to do.

    Several processes may do so at once: DBOS takes a lock. Raises DatabaseUnavailable.
    """
    async with database.read() as session:
        there = await session.connection.execute(sa.text("SELECT to_regclass('dbos.dbos_migrations')"))
        if there.scalar() is not None:
            version = await session.connection.execute(sa.text("SELECT max(version) FROM dbos.dbos_migrations"))
            if (version.scalar() or 0) >= TABLES_VERSION:
                return False
    await asyncio.to_thread(_migrate, database.url)
    return True


def _migrate(url: str) -> None:
    from dbos import DBOS  # noqa: PLC0415 - once in the life of a database, and not for every process of the API

    try:
        DBOS.migrate(url)
    except sa.exc.SQLAlchemyError as error:
        raise DatabaseUnavailable(
            f"Could not create the tables of the queue: {error}", hint="Run `combine doctor` to check the database."
        ) from error

"""Upgrades a database to the schema of this version, once, even if several processes start at the same time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa

from combine.errors import DatabaseUnavailable, Unavailable
from combine.storage.core import locks
from combine.storage.core.database import ReadSession
from combine.storage.core.faults import fault_of, reason_of
from combine.storage.core.urls import display_url, normalise_url, own_url
from combine.storage.server.fitness import inspect, require

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0007"
"""The newest revision in ``migrations/versions``, repeated here so that a start does not need to import Alembic."""

_SCRIPTS = Path(__file__).parent.parent / "migrations"


def head_version() -> str:
    """The schema version of this code."""
    return HEAD


async def current_version(url: str) -> str | None:
    """The schema version of the database; None if it is empty.

    Raises Invalid if this program cannot work with the database, DatabaseUnavailable if it cannot be reached.
    """
    try:
        found = await inspect(url)
    except psycopg.OperationalError as error:
        raise _unavailable(url, error) from error
    require(found, url)
    return found.schema_version


async def fits(session: ReadSession) -> bool:
    """Whether the database has the schema of this version, or a newer one that this version can work with."""
    found = await session.connection.execute(
        sa.text("SELECT version_num, (SELECT oldest_revision FROM compatibility) AS oldest FROM alembic_version")
    )
    row = found.one_or_none()
    return row is not None and bool(row.version_num == HEAD or row.oldest <= HEAD < row.version_num)


async def upgrade(url: str) -> bool:
    """Upgrade the database to ``head_version``, in one transaction; return whether there was anything to do.

    A database migrated by a newer version of the program is left unchanged: during a deployment both use it.
    Raises Unavailable if the newer version does not allow that, DatabaseUnavailable if it cannot be reached.
    """
    if await current_version(url) == HEAD:
        return False
    return await asyncio.to_thread(_upgrade, url)


def alembic_config(connection: sa.Connection) -> Config:
    """Alembic's configuration for the migrations on an open connection."""
    from alembic.config import Config  # noqa: PLC0415 - not needed if there is nothing to migrate

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _upgrade(url: str) -> bool:
    engine = sa.create_engine(normalise_url(own_url(url)), poolclass=sa.NullPool, connect_args={"connect_timeout": 5})
    try:
        with engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(locks.MIGRATION)))
            return _upgrade_locked(connection, url)
    except sa.exc.DBAPIError as error:
        if fault_of(error) is None:
            raise
        raise _unavailable(url, error) from error


def _upgrade_locked(connection: sa.Connection, url: str) -> bool:
    from alembic import command  # noqa: PLC0415 - as above
    from alembic.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    found = MigrationContext.configure(connection).get_current_revision()
    if found == HEAD:  # another process did it while this one waited for the lock
        return False
    config = alembic_config(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        if _may_work_with_newer(connection):
            return False
        raise Unavailable(
            f"The database at {display_url(url)} has schema version {found}; this program supports up to {HEAD}.",
            code="database_newer",
            hint="It was upgraded by a newer version of combine: install that version or a later one.",
        )
    command.upgrade(config, HEAD)
    return True


def _may_work_with_newer(connection: sa.Connection) -> bool:
    oldest = connection.execute(sa.text("SELECT oldest_revision FROM compatibility")).scalar_one()
    return bool(oldest <= HEAD)


def _unavailable(url: str, error: BaseException) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"The database at {display_url(url)} cannot be reached: {reason_of(error)}",
        hint="Check that the server is running and COMBINE_DATABASE_URL is correct; `combine doctor` tests it.",
    )

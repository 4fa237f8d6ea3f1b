# ruff: noqa: INP001 - Alembic loads it by its path
"""Alembic's environment. ``storage/server/migrate.py`` provides the connection, with its lock and transaction."""

from __future__ import annotations

from alembic import context

from combine.storage.core.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=True,
)
context.run_migrations()

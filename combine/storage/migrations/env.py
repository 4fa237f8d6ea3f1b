# ruff: noqa: INP001 - Alembic loads it by its path
"""Alembic's environment. The connection, with its lock and its transaction, comes from ``storage/migrate.py``."""

from __future__ import annotations

from alembic import context

from combine.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=True,
)
context.run_migrations()

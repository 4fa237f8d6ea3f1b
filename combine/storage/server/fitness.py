"""What a database must be for this program, checked before anything is done with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

import psycopg
from psycopg.rows import class_row

from combine.errors import Invalid
from combine.storage.core.urls import display_url, libpq_url

OLDEST_VERSION = 15
"""The oldest PostgreSQL that is known to work."""
CONNECT_TIMEOUT_S = 5

_FOUND = """
SELECT current_setting('server_version_num')::int / 10000 AS version,
  (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()) AS encoding,
  pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS read_only,
  current_user::text AS role, current_database()::text AS database, current_schema()::text AS schema,
  coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create_tables,
  has_database_privilege(current_database(), 'CREATE') AS may_create_schemas,
  to_regnamespace('dbos') IS NOT NULL AS has_queue,
  coalesce((SELECT bool_and(has_table_privilege(c.oid, p)) FROM pg_class c,
    unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) p
    WHERE c.relkind = 'r' AND c.relnamespace IN (to_regnamespace(current_schema()), to_regnamespace('dbos'))
      AND c.relname IN ('executions', 'llm_calls', 'documents', 'workflow_status')), true) AS may_write,
  to_regclass('alembic_version') IS NOT NULL AS is_migrated,
  coalesce(has_table_privilege(to_regclass('alembic_version'), 'SELECT'), false) AS may_read
"""


@dataclass(frozen=True, slots=True)
class Found:
    """The database as found."""

    version: int
    """PostgreSQL's major version."""
    encoding: str
    standby: bool
    read_only: bool
    role: str
    database: str
    schema: str | None
    """Where tables are created: the first schema of the search path that exists."""
    may_create_tables: bool
    may_create_schemas: bool
    has_queue: bool
    """Whether DBOS's schema exists."""
    may_write: bool
    """Whether its tables, if there are any, can be written to."""
    is_migrated: bool
    may_read: bool
    """Whether the table with the schema's version can be read."""
    schema_version: str | None = None
    """None: the database is empty."""


async def inspect(url: str) -> Found:
    """Look at the database. Raises psycopg.OperationalError if it cannot be reached."""
    async with await psycopg.AsyncConnection.connect(
        libpq_url(url),
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_S,
        client_encoding="utf8",  # else a server without an encoding sends bytes
    ) as connection:
        async with connection.cursor(row_factory=class_row(Found)) as cursor:
            found = await (await cursor.execute(_FOUND)).fetchone()
        assert found is not None  # the query has no WHERE
        if not found.may_read:
            return found
        row = await (await connection.execute("SELECT version_num FROM alembic_version")).fetchone()
    return found if row is None else replace(found, schema_version=str(row[0]))


def require(found: Found, url: str) -> None:
    """Raises Invalid (``database_unsuitable``) that names the first problem and the next step."""
    place = f"The database at {display_url(url)}"
    for message, hint in chain(_unfit(found), _missing_rights(found)):
        raise Invalid(f"{place} {message}.", code="database_unsuitable", hint=hint)


Problem = tuple[str, str]
"""What is wrong, and the next step."""


def _unfit(found: Found) -> Iterator[Problem]:
    if found.version < OLDEST_VERSION:
        message = f"is PostgreSQL {found.version}; version {OLDEST_VERSION} or newer is required"
        yield message, "Upgrade the server, or use another one."
    if found.encoding != "UTF8":
        message = f"has the encoding {found.encoding}; UTF8 is required"
        yield message, "Create one with: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0;"
    if found.standby:
        yield "is a standby server, which is read-only", "Use the address of the primary server."
    elif found.read_only:
        name = _quoted(found.database)
        hint = f"Run as its owner: ALTER DATABASE {name} SET default_transaction_read_only = off;"
        yield "is read-only (default_transaction_read_only is on)", hint
    if found.schema is None:
        yield "has no schema for tables: no schema of its search_path exists", "Create one: CREATE SCHEMA public;"


def _missing_rights(found: Found) -> Iterator[Problem]:
    role, schema = _quoted(found.role), _quoted(found.schema or "public")
    if not found.may_write or (found.is_migrated and not found.may_read):
        hint = (
            f"Run as their owner: GRANT USAGE ON SCHEMA {schema}, dbos TO {role}; "
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema}, dbos TO {role}; "
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema}, dbos TO {role};"
        )
        yield f"does not allow the role {role} to write to the tables in the schema {schema}", hint
    if not found.is_migrated and not found.may_create_tables:
        hint = f"Run as its owner: GRANT CREATE ON SCHEMA {schema} TO {role};"
        yield f"does not allow the role {role} to create tables in the schema {schema}", hint
    if not found.has_queue and not found.may_create_schemas:
        hint = f"Run as its owner: GRANT CREATE ON DATABASE {_quoted(found.database)} TO {role};"
        yield f"does not allow the role {role} to create a schema, which the queue requires", hint


def _quoted(name: str) -> str:
    """A name as it stands in SQL."""
    is_plain = name.isascii() and name.isidentifier() and name == name.lower()
    return name if is_plain else '"' + name.replace('"', '""') + '"'

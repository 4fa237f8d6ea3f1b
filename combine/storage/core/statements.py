"""Statements that run often: SQL that is prepared once per connection and sent by psycopg without SQLAlchemy Core.

Core compiles, adapts and wraps each execution anew, which costs several times what psycopg needs. A ``Statement`` runs
on the connection of the session it is given, so transactions, retries and errors are those of ``database.py``.
All that every execution runs is a ``Statement``, everything in ``storage/hot`` first; all other SQL is SQLAlchemy Core.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa
from psycopg import AsyncRawCursor, Error
from psycopg.rows import namedtuple_row
from psycopg.types.json import Json
from psycopg.types.numeric import Int8
from sqlalchemy.ext.asyncio import AsyncConnection

from combine.documents.ordering import stored_json

_COMMENT = re.compile(r"\s*--[^\n]*")
_PARAMETER = re.compile(r"(?<![:\w]):([a-z]\w*)")


def to_json(value: Any) -> str:
    """How JSON is sent to PostgreSQL."""
    return stored_json(value).decode("utf-8", "surrogatepass")


def as_json(value: Any) -> Json:
    """A value of JSON that is not a ``dict``, as a parameter."""
    return Json(value, to_json)


# One type of parameter whatever the value is, since each combination of types is prepared on its own.
_ADAPTED: Final[Mapping[type, Callable[[Any], Any]]] = MappingProxyType({dict: as_json, int: Int8})


class Statement:
    """One SQL statement with named parameters: ``UPDATE steps SET status = :status WHERE ...``.

    Values are sent by their Python type: ``dict`` as json, which a jsonb column takes, too; ``int`` as bigint,
    ``Decimal`` as numeric, ``UUID`` as uuid, ``bytes`` as bytea, a list as an array of what it holds; ``str`` and None
    as what the place asks for, and where the place does not say (``coalesce(:cost, 0)``), the statement casts.
    Comments (``--``) are not sent. Name the columns that you read: a prepared ``SELECT *`` fails once a migration adds
    a column.
    """

    __slots__ = ("_names", "_sql")

    def __init__(self, text: str) -> None:
        names: dict[str, str] = {}
        text = _COMMENT.sub("", text).strip()
        text = _PARAMETER.sub(lambda found: names.setdefault(found[1], f"${len(names) + 1}"), text)
        self._sql = text.encode()
        self._names = tuple(names)

    async def rows(self, connection: AsyncConnection, /, **values: object) -> list[Any]:
        """All rows, as named tuples."""
        return await (await self._execute(connection, values)).fetchall()

    async def first(self, connection: AsyncConnection, /, **values: object) -> Any | None:
        """The first row, or None if the statement returns no rows."""
        return await (await self._execute(connection, values)).fetchone()

    async def one(self, connection: AsyncConnection, /, **values: object) -> Any:
        """The first row of a statement that always has one."""
        row = await self.first(connection, **values)
        assert row is not None, "no row"
        return row

    async def run(self, connection: AsyncConnection, /, **values: object) -> int:
        """Run it; how many rows it has changed."""
        return (await self._execute(connection, values)).rowcount

    async def _execute(self, connection: AsyncConnection, values: Mapping[str, object]) -> AsyncRawCursor[Any]:
        core = connection.sync_connection
        assert core is not None  # it is open
        parameters = [_adapt(values[name]) for name in self._names]
        driver: Any = core.connection.driver_connection
        cursor = AsyncRawCursor(driver, row_factory=namedtuple_row)
        try:
            return await cursor.execute(self._sql, parameters, prepare=True)
        except BaseException as error:
            await connection.run_sync(_fail, error, self._sql.decode())
            raise


def _adapt(value: object) -> object:
    adapter = _ADAPTED.get(type(value))
    return value if adapter is None else adapter(value)


def _fail(core: sa.Connection, error: BaseException, sql: str) -> None:
    """Raise what SQLAlchemy raises for it, and give up the connection and the pool where SQLAlchemy does."""
    try:
        raise error  # noqa: TRY301 - SQLAlchemy asks which error is being handled
    except BaseException:  # noqa: BLE001 - a cancelled statement leaves a connection that nobody may use
        text = sql if isinstance(error, Error) else None  # else it would be taken for SQLAlchemy's own mistake
        core._handle_dbapi_exception(error, text, None, None, None)  # noqa: SLF001 - has no public name

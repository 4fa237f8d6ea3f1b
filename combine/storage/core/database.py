"""The connection pool, the two kinds of session, and the one retry loop of every transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from math import ceil
from time import monotonic
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from combine.backoff import doubled, jittered
from combine.errors import DatabaseUnavailable, Unavailable
from combine.storage.core.faults import DatabaseFault, fault_of, is_not_prepared, mark_disconnects, reason_of
from combine.storage.core.statements import Statement, to_json
from combine.storage.core.urls import KEEPALIVE, OPTIONS, display_url, libpq_url, normalise_url, with_options

T = TypeVar("T")

PATIENCE = timedelta(seconds=15)
"""How long a transaction waits for an unavailable database, unless the database or the call says otherwise."""


class Own(Enum):
    """Means: use the ``Database``'s own setting."""

    PATIENCE = "patience"


_FIRST_DELAY, _LONGEST_DELAY, _RACE_DELAY = 0.1, 2.0, 0.02
_SHORTEST_CONNECT_S, _LONGEST_CONNECT_S = 2, 5  # libpq's minimum

_BEGIN = Statement("BEGIN ISOLATION LEVEL READ COMMITTED")
_BEGIN_READ = Statement("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY")
_BEGIN_ONE_MOMENT = Statement("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

_XACT_STATUS = sa.text("SELECT pg_xact_status(cast(cast(:id AS text) AS xid8))")

_log = logging.getLogger(__name__)


class ReadSession:
    """One read-only transaction. The server refuses writes in it."""

    __slots__ = ("connection",)

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection


@dataclass(frozen=True, slots=True)
class Trace:
    """Identifies a transaction. Its number alone is not enough: a server may assign it again after a crash."""

    transaction_id: str
    row: sa.Select[Any]
    """Finds a row written by this transaction, and no other."""


class WriteSession(ReadSession):
    """One transaction that commits when its work returns, and rolls back when it raises."""

    __slots__ = ("trace",)

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self.trace: Trace | None = None
        """If set, a commit whose response was lost is looked up."""


class Database:
    """A pool of connections to one PostgreSQL database.

    Opens no connection until it is used. Belongs to the event loop that first uses it.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        pool_timeout: timedelta = timedelta(seconds=30),
        patience: timedelta = PATIENCE,
        discreet: bool = False,
    ) -> None:
        """Raises Invalid if ``url`` is not a PostgreSQL URL.

        ``pool_timeout``: how long a transaction waits for a connection of the pool, per attempt. ``patience``: how
        long it retries while the database is unavailable, by default. ``discreet``: errors contain neither address
        nor reason, as they are public; both are logged.
        """
        self._url = normalise_url(url)
        self._patience = patience
        self._discreet = discreet
        self._engine: AsyncEngine = create_async_engine(
            self._url,
            isolation_level="AUTOCOMMIT",  # a transaction says BEGIN, a single statement needs none
            pool_size=pool_size,
            max_overflow=0,
            pool_reset_on_return=None,  # a connection ends its own transaction before it returns
            pool_timeout=pool_timeout.total_seconds(),
            json_serializer=to_json,
            use_native_hstore=False,  # else the first connection asks for its type
            hide_parameters=True,  # a failing statement must not show a brief
            connect_args=_connect_args(self._url, patience),
        )
        mark_disconnects(self._engine.sync_engine)
        self._prepares = True
        sa.event.listen(self._engine.sync_engine, "handle_error", self._stop_preparing_behind_a_pooler)
        sa.event.listen(self._engine.sync_engine, "do_connect", self._set_preparing)

    @property
    def url(self) -> str:
        """The URL with its password; for code that opens its own connection."""
        return libpq_url(self._url)

    @property
    def engine(self) -> AsyncEngine:
        """The engine itself. Its connections commit each statement unless they say BEGIN."""
        return self._engine

    def connections(self) -> dict[str, int]:
        """The number of pool connections in use, and of open idle ones."""
        pool = self._engine.pool
        assert isinstance(pool, sa.QueuePool)
        return {"in_use": pool.checkedout(), "idle": pool.checkedin()}

    @asynccontextmanager
    async def read(self, *, one_moment: bool = False) -> AsyncIterator[ReadSession]:
        """A read-only transaction. ``one_moment``: all its statements see the same snapshot.

        A dead connection of the pool is replaced before the body starts. Raises DatabaseUnavailable if there is no
        connection, or if it is lost inside the body; Unavailable (``server_busy``) if all of the pool are in use.
        """
        connection = await self._retry(lambda: self._open_read_only(one_moment=one_moment), self._patience)
        try:
            async with aclosing(connection):  # its ROLLBACK may detect the loss, too
                yield ReadSession(connection)
                await connection.commit()  # a rollback would make psycopg forget what it has prepared
        except sa.exc.SQLAlchemyError as error:
            if fault_of(error) is DatabaseFault.LOST:
                raise self._unavailable(error) from error
            raise

    async def transact(
        self,
        work: Callable[[WriteSession], Awaitable[T]],
        *,
        give_up_after: timedelta | Own | None = Own.PATIENCE,
    ) -> T:
        """Run ``work`` in one READ COMMITTED transaction and return what it returns.

        All of ``work`` runs again after a lost connection, a serialization failure, a deadlock, a server that is short
        of resources or shutting down, and a lost race for a document's version number. That includes a commit whose
        response was lost, so ``work`` must be repeatable: generate ids outside it. Work that is not leaves a ``trace``
        in the session, and is not run again if the commit has succeeded.

        ``give_up_after``: by default the database's patience; None waits forever (for work that is limited elsewhere).
        Raises DatabaseUnavailable when the time is over, or Unavailable (``server_busy``) if only the pool was
        exhausted; Unavailable at once if the server's disk is full; every other error unchanged.
        """
        before: tuple[Trace, T] | None = None

        async def attempt() -> T:
            nonlocal before
            if before is not None and await self._has_committed(before[0]):
                return before[1]
            before = None
            async with self._connection() as connection, connection.begin():
                await _BEGIN.run(connection)
                session = WriteSession(connection)
                result = await work(session)
                if session.trace is not None:
                    before = session.trace, result
            return result

        return await self._retry(attempt, give_up_after)

    async def once(
        self,
        work: Callable[[WriteSession], Awaitable[T]],
        *,
        give_up_after: timedelta | Own | None = Own.PATIENCE,
        full_disk: bool = False,
    ) -> T:
        """Like ``transact`` for a single statement, which needs no BEGIN and COMMIT.

        ``full_disk``: wait for a server whose disk is full, too.
        """

        async def attempt() -> T:
            async with self._connection() as connection:
                return await work(WriteSession(connection))

        return await self._retry(attempt, give_up_after, full_disk=full_disk)

    async def ping(self) -> None:
        """One connection, one statement, no retry. Raises DatabaseUnavailable with the reason."""
        try:
            async with self._engine.connect() as connection:
                await connection.execute(sa.text("SELECT 1"))
        except sa.exc.SQLAlchemyError as error:
            raise self._unavailable(error) from error

    async def server_version(self) -> str:
        """PostgreSQL's version, e.g. ``18.1``. Raises DatabaseUnavailable."""
        async with self.read() as session:
            found = await session.connection.execute(sa.text("SHOW server_version"))
            return str(found.scalar_one()).split()[0]

    async def close(self) -> None:
        """Close every connection of the pool."""
        await self._engine.dispose()

    def _stop_preparing_behind_a_pooler(self, context: Any) -> None:
        if self._prepares and is_not_prepared(context.original_exception):
            self._prepares = False
            _log.warning("A pooler in front of the database loses prepared statements; no more are prepared")

    def _set_preparing(self, _dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]) -> None:
        if not self._prepares:
            parameters["prepare_threshold"] = None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        """A connection of the pool, which gets it back even if the caller is cancelled meanwhile."""
        connection = await self._engine.connect()
        try:
            yield connection
        finally:
            closing = connection.close()
            # SQLAlchemy's context manager always needs a task; nothing is waited for outside a transaction.
            await (asyncio.shield(asyncio.create_task(closing)) if connection.in_transaction() else closing)

    async def _open_read_only(self, *, one_moment: bool) -> AsyncConnection:
        connection = await self._engine.connect()
        try:
            await connection.begin()
            # Detects a dead connection here, not in the caller's body.
            await (_BEGIN_ONE_MOMENT if one_moment else _BEGIN_READ).run(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _has_committed(self, trace: Trace) -> bool:
        async with self._engine.connect() as connection:
            if await _is_under_way(connection, trace.transaction_id):
                raise sa.exc.OperationalError(str(_XACT_STATUS), {}, TimeoutError("a commit is still in progress"))
            return (await connection.execute(trace.row)).first() is not None

    async def _retry(
        self, attempt: Callable[[], Awaitable[T]], give_up_after: timedelta | Own | None, *, full_disk: bool = False
    ) -> T:
        if give_up_after is Own.PATIENCE:
            give_up_after = self._patience
        deadline = None if give_up_after is None else monotonic() + give_up_after.total_seconds()
        tries = 0
        while True:
            try:
                result = await attempt()
            except sa.exc.SQLAlchemyError as error:
                fault = fault_of(error)
                if fault is None:
                    raise
                if fault is DatabaseFault.DISK_FULL and not full_disk:
                    raise self._disk_full() from error
                # A lost race is always retried once: the server takes a second to detect a deadlock, which may be all
                # the patience there is.
                over = deadline is not None and monotonic() >= deadline
                if over and not (fault is DatabaseFault.CONFLICT and tries == 0):
                    raise self._unavailable(error) from error
                await self._pause(tries, fault, error)
                tries += 1
            else:
                if tries > 2:  # noqa: PLR2004 - as above
                    _log.warning("Transaction succeeded after %d attempts", tries + 1)
                return result

    async def _pause(self, tries: int, fault: DatabaseFault, error: BaseException) -> None:
        if tries == 2:  # noqa: PLR2004 - the first two take too little time to report
            _log.warning("Transaction failed, retrying: %s", reason_of(error))
        await asyncio.sleep(_delay(tries, fault))

    def _unavailable(self, error: BaseException) -> Unavailable:
        if isinstance(error, sa.exc.TimeoutError):
            return self._busy()
        trouble = "accepts no writes" if fault_of(error) is DatabaseFault.READ_ONLY else "cannot be reached"
        told = f"The database at {display_url(self._url)} {trouble}: {reason_of(error)}"
        if self._discreet:
            _log.warning(told)
            return DatabaseUnavailable(hint="Try again in a moment.")
        return DatabaseUnavailable(
            told,
            hint="Check that the server is running and COMBINE_DATABASE_URL is correct; `combine doctor` tests it.",
        )

    def _busy(self) -> Unavailable:
        told, hint = "The server is busy: timed out waiting for a database connection.", "Try again in a moment"
        how_many = "COMBINE_DATABASE_POOL_SIZE sets the number of connections per process."
        if self._discreet:
            _log.warning("%s %s", told, how_many)
        return Unavailable(told, code="server_busy", hint=f"{hint}." if self._discreet else f"{hint}; {how_many}")

    def _disk_full(self) -> Unavailable:
        return Unavailable(
            f"The disk of the database{'' if self._discreet else f' at {display_url(self._url)}'} is full.",
            code="database_disk_full",
            hint="Free space on the server's disk, then resume; completed work is saved.",
        )


async def _is_under_way(connection: AsyncConnection, transaction_id: str) -> bool:
    """Whether its server process has not yet noticed that the client is gone."""
    try:
        found = await connection.execute(_XACT_STATUS, {"id": transaction_id})
    except sa.exc.DataError:  # a number that is not assigned yet: the transaction was lost in a crash
        return False
    return bool(found.scalar_one() == "in progress")


def _delay(tries: int, fault: DatabaseFault) -> float:
    """Seconds until the next attempt, with jitter. A lost race is over as soon as the winner has committed."""
    if fault is DatabaseFault.CONFLICT:
        return jittered(min(_RACE_DELAY * (tries + 1), _LONGEST_DELAY))
    return jittered(doubled(_FIRST_DELAY, _LONGEST_DELAY, tries))


def _connect_args(url: sa.URL, patience: timedelta) -> dict[str, Any]:
    """Connection options: timeouts that detect a dead server, and times in UTC.

    Parameters in the URL take precedence.
    """
    connect_timeout = max(_SHORTEST_CONNECT_S, min(_LONGEST_CONNECT_S, ceil(patience.total_seconds())))
    wanted = {"application_name": "combine", "connect_timeout": connect_timeout} | KEEPALIVE
    args: dict[str, Any] = {key: value for key, value in wanted.items() if key not in url.query}
    return args | {"options": with_options(url, OPTIONS)}

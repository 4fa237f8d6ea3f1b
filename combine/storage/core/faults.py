"""Classifies database errors and words them for people."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

import psycopg
import sqlalchemy as sa

from combine.errors import Unavailable

_VERSION_RACE = "uq_documents_project_id_type_version"
_DISK_FULL = "53100"
_READ_ONLY = "25006"
_NO_SPACE = "No space left on device"  # from a server that cannot accept connections; it has no code
_CONFLICTS = frozenset({"40001", "40P01"})
_NOT_PREPARED = frozenset({"26000", "42P05"})
_NOT_SUPPORTED, _REVALIDATE = "0A000", "RevalidateCachedQuery"  # "cached plan must not change result type"
_LOST_CLASSES = frozenset({"08", "53", "57"})


class DatabaseFault(Enum):
    """A kind of error that is not caused by the statement."""

    LOST = "lost"  # no connection, or a server that is temporarily unavailable: wait and retry
    CONFLICT = "conflict"  # another transaction was faster: retry at once
    READ_ONLY = "read_only"  # a server that takes no writes, as during a failover: connect again and retry
    DISK_FULL = "disk_full"  # requires a person


def fault_of(error: BaseException) -> DatabaseFault | None:
    """The kind of error; None if it would recur."""
    if isinstance(error, sa.exc.TimeoutError):  # all connections of the pool are busy
        return DatabaseFault.LOST
    if not isinstance(error, sa.exc.DBAPIError):
        return None
    state = _sqlstate(error)
    if _is_disk_full(error.orig):
        return DatabaseFault.DISK_FULL
    if state == _READ_ONLY:
        return DatabaseFault.READ_ONLY
    if state in _CONFLICTS or _is_version_race(error, state):
        return DatabaseFault.CONFLICT
    return DatabaseFault.LOST if _is_lost(error, state) else None


def full_disk(error: BaseException) -> Unavailable | None:
    """``database_disk_full`` if a full disk caused ``error``, directly or indirectly; else None."""
    cause: BaseException | None = error
    for _ in range(20):  # a chain of causes may be circular
        if cause is None:
            break
        if _is_disk_full(cause):
            return Unavailable(
                "The database's disk is full.",
                code="database_disk_full",
                hint="Free space on the server's disk, then try again or resume; completed work is saved.",
            )
        cause = cause.__cause__ or cause.__context__
    return None


def reason_of(error: BaseException) -> str:
    """One line for a person. libpq's messages contain hosts and users; text that looks like a password is removed."""
    original = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    text = lines[0] if lines else type(original).__name__
    return re.sub(r"(?<=:)[^:@/\s]+(?=@)|(?<=password=)\S+", "***", text)


def mark_disconnects(target: type[sa.Engine] | sa.Engine) -> None:
    """Treat more errors as a lost connection, for one engine or (``sa.Engine``) for all. Idempotent.

    Every failure to *connect* is one; libraries that decide by message text miss some: a missing Unix socket, a host
    name that does not resolve. So is a prepared statement that is gone or void: a new connection has none.
    """
    if not sa.event.contains(target, "handle_error", _mark_disconnect):
        sa.event.listen(target, "handle_error", _mark_disconnect)


def _mark_disconnect(context: Any) -> None:
    error = context.original_exception
    cannot_connect = context.connection is None and getattr(error, "sqlstate", None) is None
    # A server that accepts no writes: after a failover, another one is the one to write to.
    is_read_only = getattr(error, "sqlstate", None) == _READ_ONLY
    if cannot_connect or is_read_only or is_not_prepared(error) or _is_void_plan(error):
        context.is_disconnect = True


def is_not_prepared(error: BaseException) -> bool:
    """Whether a prepared statement is not on the server where psycopg has put it: a pooler has switched servers."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _NOT_PREPARED


def _is_void_plan(error: BaseException) -> bool:
    """A prepared statement whose columns a migration has changed."""
    if not isinstance(error, psycopg.Error) or error.sqlstate != _NOT_SUPPORTED:
        return False
    return error.diag.source_function == _REVALIDATE


def _is_lost(error: sa.exc.DBAPIError, state: str | None) -> bool:
    if error.connection_invalidated or isinstance(error, sa.exc.InterfaceError):
        return True
    if state is None:
        return isinstance(error, sa.exc.OperationalError)
    return state[:2] in _LOST_CLASSES


def _is_disk_full(error: BaseException | None) -> bool:
    return isinstance(error, psycopg.Error) and (error.sqlstate == _DISK_FULL or _NO_SPACE in str(error))


def _sqlstate(error: sa.exc.DBAPIError) -> str | None:
    state = getattr(error.orig, "sqlstate", None)
    return state if isinstance(state, str) else None


def _is_version_race(error: sa.exc.DBAPIError, state: str | None) -> bool:
    diagnostics = getattr(error.orig, "diag", None)
    return state == "23505" and getattr(diagnostics, "constraint_name", None) == _VERSION_RACE

"""What an error of the database means for the one who has to go on."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

import psycopg
import sqlalchemy as sa

from combine.errors import Unavailable

_VERSION_RACE = "uq_documents_project_id_type_version"
_DISK_FULL = "53100"
_NO_SPACE = "No space left on device"  # of a server that cannot even take a connection; it comes without a code
_CONFLICTS = frozenset({"40001", "40P01"})
_LOST_CLASSES = frozenset({"08", "53", "57"})


class Fault(Enum):
    """A fault that is not the statement's own."""

    LOST = "lost"  # no connection, or a server that cannot serve just now: wait and try again
    CONFLICT = "conflict"  # another transaction was faster: try again at once
    DISK_FULL = "disk_full"  # only a person can help


def fault_of(error: BaseException) -> Fault | None:
    """What kind of fault it is; None for an error that would come again."""
    if isinstance(error, sa.exc.TimeoutError):  # every connection of the pool is busy
        return Fault.LOST
    if not isinstance(error, sa.exc.DBAPIError):
        return None
    state = _sqlstate(error)
    if _is_disk_full(error.orig):
        return Fault.DISK_FULL
    if state in _CONFLICTS or _is_version_race(error, state):
        return Fault.CONFLICT
    return Fault.LOST if _is_lost(error, state) else None


def full_disk(error: BaseException) -> Unavailable | None:
    """``database_disk_full`` if that is what has caused ``error``, whoever has met it first; else None."""
    cause: BaseException | None = error
    for _ in range(20):  # a chain may lead back into itself
        if cause is None:
            break
        if _is_disk_full(cause):
            return Unavailable(
                "The disk of the database is full.",
                code="database_disk_full",
                hint="Make room on the server's disk, then do it again, or resume; nothing that was finished is lost.",
            )
        cause = cause.__cause__ or cause.__context__
    return None


def reason_of(error: BaseException) -> str:
    """One line for a person. libpq's messages hold hosts and users, never passwords; what looks like one is cut."""
    original = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(original).splitlines() if line.strip()]
    text = lines[0] if lines else type(original).__name__
    return re.sub(r"(?<=:)[^:@/\s]+(?=@)|(?<=password=)\S+", "***", text)


def mark_disconnects(target: type[sa.Engine] | sa.Engine) -> None:
    """Make every failure to *connect* count as a lost connection, for one engine or (``sa.Engine``) for all.

    Libraries that decide by message text miss some: a Unix socket that is gone, a name that does not resolve. Safe to
    call again.
    """
    if not sa.event.contains(target, "handle_error", _cannot_connect):
        sa.event.listen(target, "handle_error", _cannot_connect)


def _cannot_connect(context: Any) -> None:
    if context.connection is None and getattr(context.original_exception, "sqlstate", None) is None:
        context.is_disconnect = True


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

"""What this process sends to PostgreSQL through asynchronous connections, whether SQLAlchemy or psycopg sends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest
from psycopg.pq import TransactionStatus


@dataclass(frozen=True)
class Sent:
    """A statement, or the COMMIT or ROLLBACK of a transaction."""

    text: str
    commits: bool
    """A COMMIT, or a statement outside of a transaction."""

    @property
    def is_statement(self) -> bool:
        return not self.text.startswith(("BEGIN", "COMMIT", "ROLLBACK"))


@contextmanager
def watched(seen: Callable[[Sent], None]) -> Iterator[None]:
    """Hands over all that is sent, after it has been answered."""
    cursor, connection = psycopg.AsyncCursor, psycopg.AsyncConnection
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cursor, "execute", _statement(cursor.execute, seen))
        patch.setattr(cursor, "executemany", _statement(cursor.executemany, seen))
        patch.setattr(connection, "commit", _end(connection.commit, "COMMIT", seen))
        patch.setattr(connection, "rollback", _end(connection.rollback, "ROLLBACK", seen))
        yield


def _statement(method, seen):
    async def send(cursor, query, *args, **kwargs):
        idle = _is_idle(cursor.connection)
        result = await method(cursor, query, *args, **kwargs)
        text = query.decode() if isinstance(query, bytes) else str(query)
        seen(Sent(text, commits=idle and cursor.connection.autocommit and not text.startswith("BEGIN")))
        return result

    return send


def _end(method, text, seen):
    async def end(connection):
        idle = _is_idle(connection)
        await method(connection)
        if not idle:
            seen(Sent(text, commits=text == "COMMIT"))

    return end


def _is_idle(connection):
    return connection.info.transaction_status is TransactionStatus.IDLE

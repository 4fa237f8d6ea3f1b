"""The heartbeat's own connection. It is synchronous and separate from the pool, so that a busy event loop or an
exhausted pool never looks like a dead process, and a hanging database is noticed (connect and statement timeouts).
"""

from __future__ import annotations

import psycopg

from combine.storage.core.urls import libpq_url, with_options

CONNECT_TIMEOUT_S = 2
STATEMENT_TIMEOUT_MS = 2000

_REGISTER = """
INSERT INTO executors (id, kind, queue, host, pid, version) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET beat_at = clock_timestamp()
"""
_BEAT = "UPDATE executors SET beat_at = clock_timestamp() WHERE id = %s"
_REMOVE = "DELETE FROM executors WHERE id = %s"


class BeatConnection:
    """Writes one process's row in ``executors``. Every method raises psycopg.Error on failure."""

    def __init__(self, url: str, executor_id: str) -> None:
        self._url = libpq_url(url)
        self._options = with_options(url, f"-c statement_timeout={STATEMENT_TIMEOUT_MS}")
        self._executor_id = executor_id
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def register(self, *, kind: str, queue: str, host: str, pid: int, version: str) -> None:
        """Register this process; its first heartbeat."""
        self._execute(_REGISTER, (self._executor_id, kind, queue, host, pid, version))

    def beat(self) -> bool:
        """Send a heartbeat. False: the row is gone, so other processes have declared this one dead."""
        return self._execute(_BEAT, (self._executor_id,)) == 1

    def remove(self) -> None:
        """Unregister: what this process still holds is released at once."""
        self._execute(_REMOVE, (self._executor_id,))

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _execute(self, statement: str, values: tuple[object, ...]) -> int:
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._url,
                    autocommit=True,
                    connect_timeout=CONNECT_TIMEOUT_S,
                    options=self._options,
                    application_name="combine-heartbeat",
                )
            return self._connection.execute(statement, values).rowcount
        except psycopg.Error:
            self.close()
            raise

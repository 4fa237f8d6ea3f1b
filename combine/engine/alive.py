"""Which processes are alive: those with a recent heartbeat whose pid, on this machine, still exists."""

from __future__ import annotations

import os
from dataclasses import dataclass

import sqlalchemy as sa

from combine.engine.heartbeat import DEAD_AFTER_S, machine_name
from combine.storage.core.database import WriteSession

SHARED_QUEUE = "segments"
"""The queue of all workers; every other queue belongs to one process."""

_EXECUTORS = """
SELECT id, queue, host, pid, extract(epoch FROM clock_timestamp() - beat_at) AS age FROM executors
"""


@dataclass(frozen=True, slots=True)
class Liveness:
    """Which processes on this database are alive and which are dead, with their private queues."""

    alive: tuple[str, ...]
    alive_queues: tuple[str, ...]
    dead: tuple[str, ...]
    dead_queues: tuple[str, ...]


def pid_is_gone(host: str, pid: int) -> bool:
    """Whether a process of this machine has ended. False if it runs, and if its host is another machine."""
    if host != machine_name():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


async def read_liveness(session: WriteSession) -> Liveness:
    """Judge every row of ``executors``."""
    rows = (await session.connection.execute(sa.text(_EXECUTORS))).all()
    dead = [row for row in rows if row.age > DEAD_AFTER_S or pid_is_gone(row.host, row.pid)]
    gone = {row.id for row in dead}
    alive = [row for row in rows if row.id not in gone]
    return Liveness(
        alive=tuple(row.id for row in alive),
        alive_queues=tuple(row.queue for row in alive if row.queue != SHARED_QUEUE),
        dead=tuple(row.id for row in dead),
        dead_queues=tuple(row.queue for row in dead if row.queue != SHARED_QUEUE),
    )

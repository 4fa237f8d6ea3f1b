"""The queue as those see it who put segments in and run none: SQL on DBOS's tables, without DBOS.

What DBOS takes for granted of these rows is held by ``tests/integration/engine/test_dbos_contract.py``, like all that
``dbos_private`` knows.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa

from combine.engine.alive import SHARED_QUEUE, read_liveness
from combine.storage.core.database import WriteSession
from combine.storage.core.listener import QUEUE_CHANNEL

# ruff: noqa: S608 - only constants are formatted into statements
Enqueue = Callable[[WriteSession, UUID, int], Awaitable[None]]
"""Puts a round of an execution in the shared queue, in that transaction."""

SEGMENT_NAME = "segment"
APP_NAME = "combine"
APP_VERSION = "1"  # constant: DBOS strands the work of other versions; only our tables must stay readable
SERIALIZER_NAME = "combine_json"
"""The name that DBOS stores beside each value."""

_ENQUEUE = sa.text(f"""
WITH status AS (
  INSERT INTO dbos.workflow_status
    (workflow_uuid, status, name, queue_name, application_version, application_name, serialization, priority,
     creator_xid)
  VALUES (:workflow_id, 'ENQUEUED', :workflow, :queue, :app_version, :app_name, :serialization, 0,
    cast(gen_random_uuid() AS text))
  ON CONFLICT DO NOTHING
  RETURNING queue_name
), input AS (
  INSERT INTO dbos.workflow_input (workflow_uuid, inputs) VALUES (:workflow_id, :inputs) ON CONFLICT DO NOTHING
)
SELECT pg_notify('{QUEUE_CHANNEL}', queue_name) FROM status
""")
"""What DBOS writes for ``DBOSClient.enqueue_in_transaction``, which compiles its statements anew each time.

The same id twice is one row. The commit wakes the workers of the queue.
"""


def enqueue_again(condition: str) -> str:
    """The statement that enqueues segments again in ``:queue`` and wakes its workers; it returns their ids."""
    return f"""
WITH moved AS (
  UPDATE dbos.workflow_status
  SET status = 'ENQUEUED', owner_xid = NULL, started_at_epoch_ms = NULL, queue_name = :queue,
      updated_at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
  WHERE {condition}
  RETURNING workflow_uuid, queue_name
)
SELECT workflow_uuid, pg_notify('{QUEUE_CHANNEL}', queue_name) FROM moved
"""


_ADOPT = sa.text(
    enqueue_again("""workflow_uuid = :workflow_id
    AND ((status = 'PENDING' AND executor_id <> ALL(:alive))
      OR (status = 'ENQUEUED' AND queue_name <> ALL(:alive_queues)))""")
)
"""Moves one segment that nobody alive works on to a queue."""

SEGMENT_STATE = """
SELECT status, executor_id, queue_name FROM dbos.workflow_status WHERE workflow_uuid = :workflow_id
"""


class Adoption(Enum):
    """What came of an attempt to take over one execution's current segment."""

    ADOPTED = "adopted"  # it is in the queue of who asked now
    BUSY = "busy"  # a live process works on it or has it queued
    ENDED = "ended"  # that segment is over; only a next round can go on


class SegmentQueue(Protocol):
    """Where those who make an execution go on put its next segment."""

    async def enqueue(self, session: WriteSession, execution_id: UUID, round_: int) -> None:
        """Put one segment in the queue, in the caller's transaction. The same round twice is one row."""

    async def adopt(self, session: WriteSession, execution_id: UUID, round_: int) -> Adoption:
        """Take over the segment of an execution whose process is gone, or that nobody has claimed yet."""


class SharedQueue:
    """The queue that all workers share, for a process that runs no segments itself."""

    async def enqueue(self, session: WriteSession, execution_id: UUID, round_: int) -> None:
        """See ``SegmentQueue``."""
        await enqueue(session, execution_id, round_, SHARED_QUEUE)

    async def adopt(self, session: WriteSession, execution_id: UUID, round_: int) -> Adoption:
        """See ``SegmentQueue``; what waits in the shared queue already stays there, and counts as taken over."""
        return await adopt(session, execution_id, round_, SHARED_QUEUE)


async def enqueue(session: WriteSession, execution_id: UUID, round_: int, queue: str) -> None:
    """Put one segment in ``queue``, in the caller's transaction."""
    values = {
        "workflow_id": workflow_id(execution_id, round_),
        "workflow": SEGMENT_NAME,
        "queue": queue,
        "app_version": APP_VERSION,
        "app_name": APP_NAME,
        "serialization": SERIALIZER_NAME,
        "inputs": to_json({"args": [str(execution_id), round_], "kwargs": {}}),
    }
    await session.connection.execute(_ENQUEUE, values)


async def adopt(
    session: WriteSession, execution_id: UUID, round_: int, queue: str, *, executor_id: str | None = None
) -> Adoption:
    """Move one segment to ``queue`` unless somebody alive, other than ``executor_id``, works on it."""
    key = workflow_id(execution_id, round_)
    executors = await read_liveness(session)
    others = [name for name in executors.alive if name != executor_id]
    moved = await session.connection.execute(
        _ADOPT,
        {"queue": queue, "workflow_id": key, "alive": others, "alive_queues": list(executors.alive_queues)},
    )
    if moved.first() is not None:
        return Adoption.ADOPTED
    state = (await session.connection.execute(sa.text(SEGMENT_STATE), {"workflow_id": key})).first()
    return Adoption.BUSY if state is not None and state.status in {"PENDING", "ENQUEUED"} else Adoption.ENDED


def workflow_id(execution_id: UUID, round_: int) -> str:
    """The DBOS id of one segment; it makes a second enqueue of the same round a no-op."""
    return f"{execution_id}:{round_}"


def to_json(data: Any) -> str:
    """How arguments and results are stored. Ids only; JSON keeps old rows readable after code has moved."""
    return json.dumps(data, default=str)

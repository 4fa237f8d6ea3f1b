"""Enqueueing segments without DBOS, for processes that do not run any: SQL on DBOS's tables.

``tests/integration/engine/test_dbos_contract.py`` checks that these rows are what DBOS expects, and also what
``dbos_private`` relies on.
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
from combine.storage.core.statements import Statement

# ruff: noqa: S608 - only constants are formatted into statements
Enqueue = Callable[[WriteSession, UUID, int], Awaitable[None]]
"""Enqueues one round of an execution in the caller's transaction."""

SEGMENT_NAME = "segment"
APP_NAME = "combine"
APP_VERSION = "1"  # constant: DBOS never runs the work of other versions; our tables stay readable instead
SERIALIZER_NAME = "combine_json"
"""The name that DBOS stores with each value."""

_ENQUEUE = Statement(f"""
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
"""Moves one segment to a queue unless a live process works on it."""

SEGMENT_STATE = """
SELECT status, executor_id, queue_name FROM dbos.workflow_status WHERE workflow_uuid = :workflow_id
"""


class Adoption(Enum):
    """The result of trying to take over one execution's current segment."""

    ADOPTED = "adopted"  # it is in the caller's queue now
    BUSY = "busy"  # a live process runs it or has enqueued it
    ENDED = "ended"  # that segment has ended; only the next round can continue


class SegmentQueue(Protocol):
    """The queue in which a process continues executions."""

    async def enqueue(self, session: WriteSession, execution_id: UUID, round_: int) -> None:
        """Enqueue one segment in the caller's transaction. The same round twice is one row."""

    async def adopt(self, session: WriteSession, execution_id: UUID, round_: int) -> Adoption:
        """Take over a segment that is unclaimed, or whose process is dead."""


class SharedQueue:
    """The workers' queue, for a process that does not run segments itself."""

    async def enqueue(self, session: WriteSession, execution_id: UUID, round_: int) -> None:
        """Enqueue one segment for any worker."""
        await enqueue(session, execution_id, round_, SHARED_QUEUE)

    async def adopt(self, session: WriteSession, execution_id: UUID, round_: int) -> Adoption:
        """A segment that is in the shared queue already stays there, and counts as adopted."""
        return await adopt(session, execution_id, round_, SHARED_QUEUE)


async def enqueue(session: WriteSession, execution_id: UUID, round_: int, queue: str) -> None:
    """Enqueue one segment in ``queue``, in the caller's transaction."""
    await _ENQUEUE.run(
        session.connection,
        workflow_id=workflow_id(execution_id, round_),
        workflow=SEGMENT_NAME,
        queue=queue,
        app_version=APP_VERSION,
        app_name=APP_NAME,
        serialization=SERIALIZER_NAME,
        inputs=to_json({"args": [str(execution_id), round_], "kwargs": {}}),
    )


async def adopt(
    session: WriteSession, execution_id: UUID, round_: int, queue: str, *, executor_id: str | None = None
) -> Adoption:
    """Move one segment to ``queue`` unless a live process other than ``executor_id`` works on it."""
    key = workflow_id(execution_id, round_)
    liveness = await read_liveness(session)
    others = [name for name in liveness.alive if name != executor_id]
    moved = await session.connection.execute(
        _ADOPT,
        {"queue": queue, "workflow_id": key, "alive": others, "alive_queues": list(liveness.alive_queues)},
    )
    if moved.first() is not None:
        return Adoption.ADOPTED
    state = (await session.connection.execute(sa.text(SEGMENT_STATE), {"workflow_id": key})).first()
    return Adoption.BUSY if state is not None and state.status in {"PENDING", "ENQUEUED"} else Adoption.ENDED


def workflow_id(execution_id: UUID, round_: int) -> str:
    """The DBOS id of one segment. It makes a second enqueue of the same round a no-op."""
    return f"{execution_id}:{round_}"


def to_json(data: Any) -> str:
    """How DBOS stores arguments and results. They are ids only, and old rows stay readable when code changes."""
    return json.dumps(data, default=str)

"""The only module that uses undocumented parts of DBOS.

They are those of DBOS 3.4.0, and ``tests/integration/engine/test_dbos_contract.py`` checks them: the owner token of a
claim, the set of segments that run in this process, the loop that claims them, and the columns of
``dbos.workflow_status`` that the ownership fence and the recovery of dead processes read and write.
"""

# ruff: noqa: SLF001 - reaching into DBOS is what this module is for
from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from dbos import DBOS, Queue, _dbos, _queue
from dbos._context import get_local_dbos_context
from dbos._dbos import _get_dbos_instance
from dbos._error import DBOSWorkflowConflictIDError
from dbos._serialization import Serializer

from combine.engine.queue import SERIALIZER_NAME, enqueue_again, to_json
from combine.engine.waking import WakeableStop

FENCE = """
SELECT 1 FROM dbos.workflow_status
WHERE workflow_uuid = :claim_workflow AND owner_xid = :claim_owner AND status = 'PENDING' FOR SHARE
"""
"""Holds the claim until the transaction ends. No row: another process has it."""

HAND_BACK = enqueue_again("""name = :workflow
    AND ((status = 'PENDING' AND executor_id = ANY(:dead))
      OR (status = 'ENQUEUED' AND queue_name = ANY(:dead_queues)))""")
"""Moves what dead processes had claimed or enqueued for themselves to the shared queue.

A queue to which no process listens counts as dead, too. The status is part of the condition, so a row that a live
process has claimed meanwhile is not changed.
"""

HAND_BACK_OWN = enqueue_again("workflow_uuid = ANY(:lost) AND status = 'PENDING' AND executor_id = :executor")
"""Enqueues again what this process has claimed but does not run (a lost dispatch)."""

MOVE_QUEUED = enqueue_again("queue_name = :of AND status = 'ENQUEUED'")

LOST = """
SELECT workflow_uuid FROM dbos.workflow_status
WHERE name = :workflow AND status = 'PENDING' AND executor_id = :executor
"""


WITHOUT_SEGMENT = """
SELECT e.id FROM executions e
WHERE e.status IN ('queued', 'running') AND e.updated_at < clock_timestamp() - make_interval(secs => :grace_s)
  AND NOT EXISTS (
    SELECT 1 FROM dbos.workflow_status w
    WHERE w.workflow_uuid = e.id || ':' || e.round AND w.status IN ('PENDING', 'ENQUEUED', 'DELAYED')
  )
FOR UPDATE SKIP LOCKED
"""
"""Executions under way without a segment in the queue that would continue them.

The grace time makes this safe: if a round has just changed, this statement may see the new round, but the queue as it
was before.
"""

SegmentTakenOver = DBOSWorkflowConflictIDError
"""On this error, DBOS drops this run of the segment quietly and waits for the result of the one that took over."""


class JsonSerializer(Serializer):
    """JSON, because pickled rows become unreadable when code moves."""

    def serialize(self, data: Any) -> str:
        """Arguments or a result as JSON."""
        return to_json(data)

    def deserialize(self, serialized_data: str) -> Any:
        """From JSON. DBOS expects the positional arguments as a tuple."""
        data = json.loads(serialized_data)
        if isinstance(data, dict) and "args" in data:
            data["args"] = tuple(data["args"])
        return data

    def name(self) -> str:
        """The name that DBOS stores with each value."""
        return SERIALIZER_NAME


def current_claim() -> tuple[str, str]:
    """Workflow id and owner token of the segment that runs in this task."""
    context = get_local_dbos_context()
    if context is None or context.owner_xid is None:
        msg = "not inside a claimed segment"
        raise RuntimeError(msg)
    return context.workflow_id, context.owner_xid


def running_here() -> frozenset[str]:
    """The workflow ids of the segments that run in this process."""
    instance = _instance()
    return frozenset(instance._active_workflows_set.activeList() if instance else ())


class Claiming:
    """The thread that claims the segments of one queue; it starts at once.

    The threads that DBOS has started at its launch are ended: we use none of them, and most of them query the database
    every second.
    """

    def __init__(self, queue: str, concurrency: int, poll_s: float) -> None:
        instance = _get_dbos_instance()
        _end_own_threads(instance)
        self._stop = WakeableStop(is_full=lambda: len(instance._workflow_tasks) >= concurrency)
        token = _queue._INTERNAL_QUEUE_CONSTRUCTION
        source = Queue(queue, worker_concurrency=concurrency, polling_interval_sec=poll_s, token=token)
        self._thread = threading.Thread(
            target=_queue.queue_worker_thread, args=(self._stop, instance, source), name="combine-queue", daemon=True
        )
        instance.background_thread_stop_events.append(self._stop)
        instance._background_threads.append(self._thread)
        self._thread.start()

    def wake(self) -> None:
        """Let the thread poll now."""
        self._stop.wake()

    async def end(self, timeout_s: float) -> None:
        """Claim nothing more. When this returns, the segments of a claim under way run in this process."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join, timeout_s)


def _end_own_threads(instance: DBOS) -> None:
    """The threads for schedules, delays, deadlines, and the queues in DBOS's table."""
    for event in instance.background_thread_stop_events:
        event.set()
    instance._background_jobs_stop_event.set()
    # Its listener may be waiting on a connection. That ends with DBOS: a socket which is closed under a thread that
    # waits on it can be reused for another connection, and the thread then never wakes.
    instance._sys_db._run_background_processes = False


def workflow_tasks() -> frozenset[Any]:
    """The asyncio tasks of the segments that run in this process."""
    instance = _instance()
    return frozenset(instance._workflow_tasks if instance else ())


def _instance() -> DBOS | None:
    """The DBOS object of this process; None before it exists."""
    return _dbos._dbos_global_instance


def reset_registry() -> None:
    """Stop DBOS and forget the registered functions, so that another engine in this process can register its own."""
    DBOS.destroy(destroy_registry=True)

"""The only module that touches what DBOS does not document.

Pinned to DBOS 3.4.0 and held by ``tests/integration/engine/test_dbos_contract.py``: the owner token of a
claim, the set of segments that run in this process, and the columns of ``dbos.workflow_status`` that the
ownership fence and the recovery of dead processes read and write.
"""

# ruff: noqa: SLF001 - reaching into DBOS is what this module is for
from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dbos import DBOS, _dbos
from dbos._context import get_local_dbos_context
from dbos._dbos import _get_dbos_instance
from dbos._error import DBOSWorkflowConflictIDError
from dbos._serialization import Serializer

from combine.engine.queue import SERIALIZER_NAME, to_json

FENCE = """
SELECT 1 FROM dbos.workflow_status
WHERE workflow_uuid = :claim_workflow AND owner_xid = :claim_owner AND status = 'PENDING' FOR SHARE
"""
"""Holds the claim for the length of a transaction; no row means that somebody else has it."""

HAND_BACK = """
UPDATE dbos.workflow_status
SET status = 'ENQUEUED', owner_xid = NULL, started_at_epoch_ms = NULL, queue_name = :queue,
    updated_at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint
WHERE name = :workflow
  AND ((status = 'PENDING' AND executor_id = ANY(:dead))
    OR (status = 'ENQUEUED' AND queue_name = ANY(:dead_queues)))
RETURNING workflow_uuid
"""
"""Returns what dead processes had claimed or had queued for themselves to the shared queue.

A queue is dead, too, if no process at all listens to it.

The status is part of the condition, so a row that a live process has claimed meanwhile is left alone.
"""

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
"""Executions under way that nothing in the queue will ever carry on.

The grace time is what makes this safe: an execution whose round has just changed is looked at with its new round but
with the queue as it was before.
"""

MOVE_QUEUED = """
UPDATE dbos.workflow_status SET queue_name = :to WHERE queue_name = :of AND status = 'ENQUEUED'
"""


SegmentTakenOver = DBOSWorkflowConflictIDError
"""DBOS parks a segment quietly on this error and gives it the result of the one that took over."""


class JsonSerializer(Serializer):
    """JSON, since pickle would not bear that code moves."""

    def serialize(self, data: Any) -> str:
        """To JSON."""
        return to_json(data)

    def deserialize(self, serialized_data: str) -> Any:
        """From JSON; DBOS wants the positional arguments back as a tuple."""
        data = json.loads(serialized_data)
        if isinstance(data, dict) and "args" in data:
            data["args"] = tuple(data["args"])
        return data

    def name(self) -> str:
        """The name that DBOS stores beside each value."""
        return SERIALIZER_NAME


def current_claim() -> tuple[str, str]:
    """(workflow id, owner token) of the segment that runs in this task."""
    context = get_local_dbos_context()
    if context is None or context.owner_xid is None:
        msg = "not inside a claimed segment"
        raise RuntimeError(msg)
    return context.workflow_id, context.owner_xid


def running_here() -> frozenset[str]:
    """Ids of the segments that run in this process now."""
    instance = _instance()
    return frozenset(instance._active_workflows_set.activeList() if instance else ())


def hand_back_own(workflow_ids: Sequence[str], executor_id: str, queue: str) -> None:
    """Return claimed rows of this process that nothing here runs (a lost dispatch) to the queue."""
    instance = _get_dbos_instance()
    for workflow_id in workflow_ids:
        instance._sys_db.reenqueue_for_recovery(workflow_id, [executor_id], queue)


def stop_claiming() -> None:
    """Let the queue threads end at once; what runs goes on. There is no public "stop this queue here"."""
    instance = _instance()
    for event in instance.background_thread_stop_events if instance else ():
        event.set()


def workflow_tasks() -> frozenset[Any]:
    """The asyncio tasks of the segments that run in this process."""
    instance = _instance()
    return frozenset(instance._workflow_tasks if instance else ())


def _instance() -> DBOS | None:
    """DBOS of this process; None before it is made."""
    return _dbos._dbos_global_instance


def reset_registry() -> None:
    """Forget the registered functions, so that a later engine in this process can register its own."""
    DBOS.destroy(destroy_registry=True)

"""Releases executions that wait for a provider: one as a probe, and the others after it has succeeded.

This room does not know providers. Executions that wait for the same provider have the same text in ``waits_for``; their
rows also hold the time of the next retry and the result of the last one (``storage/hot/outages.py``).
"""

from __future__ import annotations

from datetime import datetime

from combine.documents.statuses import ExecutionStatus
from combine.engine.queue import Enqueue
from combine.storage.core import locks
from combine.storage.core.database import Database, WriteSession
from combine.storage.events import Events
from combine.storage.executions import Executions
from combine.storage.hot.outages import Outages
from combine.storage.hot.transitions import Transitions

BATCH_SIZE = 100


async def release_due(session: WriteSession, enqueue: Enqueue, *, now: datetime | None = None) -> int:
    """Release at most ``BATCH_SIZE`` executions that are due; how many. None while another process does the same."""
    if not await locks.try_lock(session, locks.OUTAGE_RELEASE):
        return 0
    outages, transitions = Outages(session, now=now), Transitions(session)
    released = 0
    for due in await outages.due(limit=BATCH_SIZE):
        if (await Executions(session).lock(due.execution_id)).status != ExecutionStatus.WAITING_FOR_PROVIDER:
            continue  # a person has changed it in the meantime
        await outages.try_now(due.execution_id, probe=due.probe)
        await transitions.release_steps(due.execution_id, ExecutionStatus.WAITING_FOR_PROVIDER.value)
        await enqueue(session, due.execution_id, await transitions.requeue(due.execution_id, by_itself=True))
        await Events(session).append(
            due.execution_id, "provider_tried_again", data={"provider": due.waits_for, "probe": due.probe}
        )
        released += 1
    return released


async def release_all_due(database: Database, enqueue: Enqueue) -> int:
    """Release all executions that are due, in batches; how many."""
    total = 0
    while True:
        released = await database.transact(lambda session: release_due(session, enqueue))
        total += released
        if released < BATCH_SIZE:
            return total

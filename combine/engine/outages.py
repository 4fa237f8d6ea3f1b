"""Lets executions that wait for a provider go on: one to see whether it works again, then all of them.

This room knows no provider. Executions that wait for the same thing carry the same text; when it is tried again and
what came of it stands in their rows (``storage/hot/outages.py``).
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

AT_A_TIME = 100


async def release_due(session: WriteSession, enqueue: Enqueue, *, now: datetime | None = None) -> int:
    """Release who may go on, at most ``AT_A_TIME``; how many. Nothing while another process does the same."""
    if not await locks.try_lock(session, locks.OUTAGE_RELEASE):
        return 0
    outages, transitions = Outages(session, now=now), Transitions(session)
    released = 0
    for due in await outages.due(limit=AT_A_TIME):
        if (await Executions(session).lock(due.execution_id)).status != ExecutionStatus.WAITING_FOR_PROVIDER:
            continue  # a person was quicker
        await outages.try_now(due.execution_id, probe=due.probe)
        await transitions.release_steps(due.execution_id, ExecutionStatus.WAITING_FOR_PROVIDER.value)
        await enqueue(session, due.execution_id, await transitions.requeue(due.execution_id, by_itself=True))
        await Events(session).append(
            due.execution_id, "provider_tried_again", data={"provider": due.waits_for, "probe": due.probe}
        )
        released += 1
    return released


async def release_all_due(database: Database, enqueue: Enqueue) -> int:
    """The same until nobody is left who may go on; how many."""
    total = 0
    while True:
        released = await database.transact(lambda session: release_due(session, enqueue))
        total += released
        if released < AT_A_TIME:
            return total

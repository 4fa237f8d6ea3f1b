"""Calls whose outcome is unknown: a person records the cost that the provider billed."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from combine.auth.permissions import Actor, ProjectRole, Scope
from combine.documents.statuses import CallState
from combine.errors import Conflict
from combine.records import Call
from combine.services.access import Access
from combine.services.amounts import check_cost
from combine.services.audit import record_audit
from combine.storage.calls import Calls
from combine.storage.core.database import Database, WriteSession
from combine.storage.hot.settling import Settling


class SettlingService:
    """Records the actual cost of calls."""

    def __init__(self, database: Database, *, actor: Actor) -> None:
        self._database = database
        self._actor = actor
        self._access = Access(actor)

    async def settle(self, execution: str, call: str, usd: Decimal) -> UUID:
        """Count ``usd`` for the call instead of its reservation; returns the execution's id.

        Allowed also after the execution has ended, and repeatedly: the last amount counts, unless the reply still
        arrives. Executions stopped at a cap stay stopped until they are resumed. Execution and call are found by
        prefixes of their ids. Raises NotFound, NotPermitted, Invalid for an invalid amount, Conflict for a call whose
        outcome is known.
        """
        check_cost(usd)

        async def work(session: WriteSession) -> UUID:
            row = await self._access.execution(session, execution, ProjectRole.OWNER, Scope.ADMIN)
            found = await Calls(session).find(row.id, call)
            said = await Settling(session).settle(row.id, found.id, usd)
            if said is None:
                raise _outcome_known(await Calls(session).find(row.id, call))
            # the role may be gone by now
            await self._access.need(session, row.project_id, ProjectRole.OWNER, Scope.ADMIN)
            await record_audit(
                session, self._actor, "call.settled", project_id=row.project_id, object_=str(row.id), data=said
            )
            return row.id

        return await self._database.transact(work)


def _outcome_known(call: Call) -> Conflict:
    state = "in flight" if call.state == CallState.INTENT else call.state
    return Conflict(
        f"Call {call.id} is {state}; a cost can only be recorded for a call whose outcome is unknown.",
        code="call_outcome_known",
        hint=f"See its calls: combine show {call.execution_id}",
    )

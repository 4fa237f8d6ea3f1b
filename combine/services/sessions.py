"""The sessions of a user's browsers."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from combine.auth.permissions import Actor, Scope
from combine.errors import NotFound
from combine.services.audit import record_audit
from combine.services.people import need_person
from combine.services.people_views import SessionView
from combine.services.views import view
from combine.storage.core.database import Database, WriteSession
from combine.storage.people.sessions import Sessions


class SessionService:
    """The sessions of the current user."""

    def __init__(self, database: Database, *, actor: Actor, session_idle: timedelta) -> None:
        self._database = database
        self._actor = actor
        self._session_idle = session_idle

    async def list(self) -> tuple[SessionView, ...]:
        """Valid sessions, most recently used first."""
        user_id = need_person(self._actor)
        async with self._database.read() as session:
            rows = await Sessions(session).list(user_id, self._session_idle)
        return tuple(view(SessionView, row, current=row.id == self._actor.session_id) for row in rows)

    async def end(self, session_id: UUID) -> None:
        """End a session. Raises NotFound, NotPermitted below the scope admin."""
        user_id = need_person(self._actor)
        self._actor.need_scope(Scope.ADMIN)

        async def work(session: WriteSession) -> None:
            if not await Sessions(session).end(session_id, user_id):
                raise NotFound(f"There is no session {session_id}.", code="session_not_found")
            await record_audit(session, self._actor, "session.ended", object_=str(session_id))

        await self._database.transact(work)

    async def end_all(self) -> int:
        """End all sessions, including this one; returns how many there were. Tokens stay valid."""
        user_id = need_person(self._actor)
        self._actor.need_scope(Scope.ADMIN)

        async def work(session: WriteSession) -> int:
            ended = await Sessions(session).end_all(user_id)
            await record_audit(
                session, self._actor, "session.ended_all", object_=str(user_id), data={"sessions": ended}
            )
            return ended

        return await self._database.transact(work)

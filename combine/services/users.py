"""The users of the installation, and the current user."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from combine.auth.permissions import Actor, InstanceRole, Scope
from combine.auth.secrets import digest
from combine.errors import Conflict, NotFound
from combine.services.audit import record_audit
from combine.services.people import need_person, user_view
from combine.services.people_views import IdentityView, MeView, UserView
from combine.services.views import view
from combine.storage.core.database import Database, ReadSession, WriteSession
from combine.storage.people.sessions import Sessions
from combine.storage.people.users import LOCAL_USER_ID, Identities, IdentityRow, UserRow, Users

_ID_LENGTH = 32


class UserService:
    """Users see themselves; admins of the installation see and change all users."""

    def __init__(self, database: Database, *, actor: Actor) -> None:
        self._database = database
        self._actor = actor

    async def me(self) -> MeView:
        """The current user. Raises NotPermitted on the command line, which has none."""
        user_id = need_person(self._actor)
        async with self._database.read() as session:
            return await self._me(session, user_id)

    async def unlink(self, identity_id: str) -> MeView:
        """Remove one of the ways to sign in. Raises NotFound, NotPermitted, Conflict for the last one."""
        user_id = need_person(self._actor)
        self._actor.need_scope(Scope.ADMIN)

        async def work(session: WriteSession) -> MeView:
            await Users(session).lock(user_id)
            rows = await Identities(session).list(user_id)
            found = next((row for row in rows if _identity_id(row) == identity_id), None)
            if found is None:
                raise NotFound("This identity is not linked to your user.", code="identity_not_found")
            if len(rows) == 1:
                raise Conflict(
                    "This is the only way you can sign in.", code="identity_last", hint="Link another one first."
                )
            await Identities(session).delete(found.issuer, found.subject)
            said = {"provider": found.provider, "email": found.email}
            await record_audit(session, self._actor, "identity.unlinked", object_=str(user_id), data=said)
            return await self._me(session, user_id)

        return await self._database.transact(work)

    async def list(self, *, before: tuple[datetime, UUID] | None = None, limit: int = 50) -> tuple[UserView, ...]:
        """Users, newest first. ``before``: ``created_at`` and ``id`` of the last one of the previous page.

        Raises NotPermitted, like the next methods, unless the actor is an admin of the installation.
        """
        self._actor.need_instance_admin()
        async with self._database.read() as session:
            return tuple(user_view(row) for row in await Users(session).list(before=before, limit=limit))

    async def set_role(self, user_id: UUID, role: InstanceRole) -> UserView:
        """Make a user admin or member. Raises NotFound, Conflict for the last admin and for the user of local mode."""
        self._actor.need_instance_admin()

        async def work(session: WriteSession) -> UserRow:
            users = Users(session)
            admins = await users.lock_admins()
            row = await users.lock(user_id)
            if row.role == role:
                return row
            if user_id == LOCAL_USER_ID:
                raise Conflict("The user of local mode is always admin.", code="local_user")
            _must_not_be_last_admin(admins, user_id)
            await users.set_role(user_id, role)
            said = {"from": row.role, "to": role.value}
            await record_audit(session, self._actor, "user.role_set", object_=str(user_id), data=said)
            return await users.get(user_id)

        return user_view(await self._database.transact(work))

    async def disable(self, user_id: UUID) -> UserView:
        """Disable a user: their sessions end, their tokens are refused from the next request on.

        Idempotent. Raises NotFound, Conflict for oneself and for the last admin.
        """
        self._actor.need_instance_admin()
        if user_id == self._actor.user_id:
            raise Conflict("You cannot disable yourself.", code="own_account", hint="Ask another admin.")

        async def work(session: WriteSession) -> UserRow:
            users = Users(session)
            admins = await users.lock_admins()
            row = await users.lock(user_id)
            if row.disabled_at is not None:
                return row
            _must_not_be_last_admin(admins, user_id)
            await users.set_disabled(user_id, disabled=True)
            ended = await Sessions(session).end_all(user_id)
            await record_audit(session, self._actor, "user.disabled", object_=str(user_id), data={"sessions": ended})
            return await users.get(user_id)

        return user_view(await self._database.transact(work))

    async def enable(self, user_id: UUID) -> UserView:
        """Enable a user again, with their tokens. Idempotent. Raises NotFound."""
        self._actor.need_instance_admin()

        async def work(session: WriteSession) -> UserRow:
            users = Users(session)
            row = await users.lock(user_id)
            if row.disabled_at is not None:
                await users.set_disabled(user_id, disabled=False)
                await record_audit(session, self._actor, "user.enabled", object_=str(user_id))
            return await users.get(user_id)

        return user_view(await self._database.transact(work))

    async def _me(self, session: ReadSession, user_id: UUID) -> MeView:
        row = await Users(session).get(user_id)
        identities = tuple(_identity(one) for one in await Identities(session).list(user_id))
        return view(MeView, self._actor, user=user_view(row), identities=identities)


def _must_not_be_last_admin(admins: Collection[UUID], user_id: UUID) -> None:
    """``admins`` are locked, first and always in the same order: if two demote each other, one stays."""
    if set(admins) == {user_id}:
        raise Conflict(
            "The installation needs an admin, and this is the last one.",
            code="last_admin",
            hint="Make another user an admin first.",
        )


def _identity(row: IdentityRow) -> IdentityView:
    return view(IdentityView, row, id=_identity_id(row))


def _identity_id(row: IdentityRow) -> str:
    return digest(f"{row.issuer}\n{row.subject}")[:_ID_LENGTH]

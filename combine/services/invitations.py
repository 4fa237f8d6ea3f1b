"""Invites people to projects by an address that their provider must verify."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from combine.auth.addresses import email_address
from combine.auth.permissions import Actor, ProjectRole, Scope
from combine.errors import Conflict
from combine.services.access import Access
from combine.services.audit import record_audit
from combine.services.people import need_person
from combine.services.people_views import InvitationView
from combine.services.views import view
from combine.storage.core.database import Database, WriteSession
from combine.storage.people.invitations import InvitationRow, Invitations, invitation_not_found
from combine.storage.people.members import Members
from combine.storage.people.users import Identities

LIFETIME = timedelta(days=14)
_ORDER = tuple(ProjectRole)


class InvitationService:
    """Owners invite and revoke; invited people accept or decline."""

    def __init__(self, database: Database, *, actor: Actor) -> None:
        self._database = database
        self._actor = actor
        self._access = Access(actor)

    async def create(self, project_id: UUID, email: str, role: ProjectRole) -> InvitationView:
        """Invite an address for 14 days, replacing an open invitation of the same address.

        Nothing is sent: the invitation appears when someone signs in with that address. Raises NotFound,
        NotPermitted, Invalid for an invalid address, Conflict if it belongs to a member.
        """
        address = email_address(email)
        invitation_id = uuid4()

        async def work(session: WriteSession) -> InvitationRow:
            await Members(session).lock_project(project_id)
            await self._access.need(session, project_id, ProjectRole.OWNER, Scope.ADMIN)
            for user_id in await Identities(session).users_of(address):
                if await Members(session).role(project_id, user_id) is not None:
                    raise Conflict(f"{address} is already a member.", code="already_member")
            row = await Invitations(session).insert(
                invitation_id, project_id, address, role, invited_by=self._actor.user_id, lifetime=LIFETIME
            )
            said = {"email": address, "role": role.value}
            await record_audit(
                session,
                self._actor,
                "invitation.created",
                project_id=project_id,
                object_=str(invitation_id),
                data=said,
            )
            return row

        return _view(await self._database.transact(work))

    async def list(
        self, project_id: UUID, *, before: tuple[datetime, UUID] | None = None, limit: int = 50
    ) -> tuple[InvitationView, ...]:
        """Invitations to a project, newest first, for its owners; including closed ones.

        ``before``: ``created_at`` and ``id`` of the last one of the previous page. Raises NotFound, NotPermitted.
        """
        async with self._database.read() as session:
            await self._access.need(session, project_id, ProjectRole.OWNER, Scope.READ)
            return tuple(_view(row) for row in await Invitations(session).list(project_id, before=before, limit=limit))

    async def revoke(self, project_id: UUID, invitation_id: UUID) -> InvitationView:
        """Revoke an invitation. Idempotent. Raises NotFound, NotPermitted, Conflict if it has been accepted."""

        async def work(session: WriteSession) -> InvitationRow:
            await Members(session).lock_project(project_id)
            await self._access.need(session, project_id, ProjectRole.OWNER, Scope.ADMIN)
            await Invitations(session).get(invitation_id, project_id=project_id)
            return await self._close(session, invitation_id, "invitation.revoked")

        return _view(await self._database.transact(work))

    async def mine(self) -> tuple[InvitationView, ...]:
        """Invitations that the current user can accept, newest first."""
        user_id = need_person(self._actor)
        async with self._database.read() as session:
            emails = await Identities(session).emails(user_id)
            return tuple(_view(row) for row in await Invitations(session).open_for(emails))

    async def accept(self, invitation_id: UUID) -> InvitationView:
        """Become a member. A higher existing role is kept.

        Raises NotFound for an invitation to another address, Conflict for a closed one, NotPermitted.
        """
        user_id = need_person(self._actor)
        self._actor.need_scope(Scope.ADMIN)

        async def work(session: WriteSession) -> InvitationRow:
            invitations, members = Invitations(session), Members(session)
            found = await invitations.get(invitation_id)
            await members.lock_project(found.project_id)
            row = await self._lock_mine(session, invitation_id, user_id)
            _must_be_open(row)
            held = await members.role(row.project_id, user_id)
            role = max((ProjectRole(one) for one in (held, row.role) if one is not None), key=_ORDER.index)
            await members.set_role(row.project_id, user_id, role)
            await invitations.accept(invitation_id, user_id)
            await record_audit(
                session,
                self._actor,
                "invitation.accepted",
                project_id=row.project_id,
                object_=str(invitation_id),
                data={"role": role.value},
            )
            return await invitations.get(invitation_id)

        return _view(await self._database.transact(work))

    async def decline(self, invitation_id: UUID) -> InvitationView:
        """Decline an invitation. Idempotent. Raises NotFound, NotPermitted, Conflict if it has been accepted."""
        user_id = need_person(self._actor)
        self._actor.need_scope(Scope.ADMIN)

        async def work(session: WriteSession) -> InvitationRow:
            await self._lock_mine(session, invitation_id, user_id)
            return await self._close(session, invitation_id, "invitation.declined")

        return _view(await self._database.transact(work))

    async def _lock_mine(self, session: WriteSession, invitation_id: UUID, user_id: UUID) -> InvitationRow:
        row = await Invitations(session).lock(invitation_id)
        if row.email not in await Identities(session).emails(user_id):
            raise invitation_not_found(invitation_id)
        return row

    async def _close(self, session: WriteSession, invitation_id: UUID, action: str) -> InvitationRow:
        invitations = Invitations(session)
        row = await invitations.lock(invitation_id)
        if row.accepted_at is not None:
            _must_be_open(row)
        if row.revoked_at is None:
            await invitations.revoke(invitation_id)
            await record_audit(
                session,
                self._actor,
                action,
                project_id=row.project_id,
                object_=str(invitation_id),
                data={"email": row.email},
            )
        return await invitations.get(invitation_id)


def _must_be_open(row: InvitationRow) -> None:
    if row.accepted_at is not None:
        raise Conflict("This invitation has already been accepted.", code="invitation_accepted")
    if row.revoked_at is not None:
        raise Conflict("This invitation has been revoked or declined.", code="invitation_revoked", hint=_ASK)
    if row.expired:
        raise Conflict("This invitation has expired.", code="invitation_expired", hint=_ASK)


_ASK = "Ask an owner of the project for a new one."


def _view(row: InvitationRow) -> InvitationView:
    return view(InvitationView, row, role=ProjectRole(row.role), state=_state(row))


def _state(row: InvitationRow) -> str:
    if row.accepted_at is not None:
        return "accepted"
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expired else "open"

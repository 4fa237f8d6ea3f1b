"""What the services about people share."""

from __future__ import annotations

from uuid import UUID

from combine.auth.permissions import Actor, InstanceRole, Scope
from combine.errors import NotPermitted
from combine.services.people_views import UserView
from combine.services.views import view
from combine.storage.people.users import UserRow


def need_person(actor: Actor) -> UUID:
    """The user's id. Raises NotPermitted for the operator, who has none."""
    if actor.user_id is None:
        raise NotPermitted("Only available to signed-in users.", code="person_needed")
    return actor.user_id


def user_view(row: UserRow) -> UserView:
    """One person."""
    return view(UserView, row, role=InstanceRole(row.role), disabled=row.disabled_at is not None)


def acting(user: UserRow, session_id: UUID | None = None) -> Actor:
    """A user who is signing in or out, as named in the audit log."""
    return Actor(user.id, InstanceRole(user.role), Scope.ADMIN, session_id=session_id)

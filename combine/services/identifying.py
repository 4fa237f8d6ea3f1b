"""Finds the user of a provider's identity, by issuer and subject, never by address; used by sign-in."""

from __future__ import annotations

from uuid import UUID

from combine.auth.permissions import InstanceRole
from combine.auth.providers import Person
from combine.errors import Conflict
from combine.services.audit import record_audit
from combine.services.people import acting
from combine.storage.core.database import WriteSession
from combine.storage.people.users import Identities, IdentityRow, UserRow, Users


async def identify(session: WriteSession, person: Person, provider: str, new_user_id: UUID) -> UserRow:
    """The user with this identity, or a new one. Raises Conflict if the address belongs to another user.

    The user is locked, as by ``link``: no one can disable them until the transaction ends.
    """
    identities, users = Identities(session), Users(session)
    if (known := await identities.find(person.issuer, person.subject)) is not None:
        return await _seen_again(session, known, person)
    taken = await identities.users_of(person.email)
    if taken or not await users.insert(new_user_id, person.name, person.email, InstanceRole.MEMBER):
        # The address is in use: by someone else, or by the same user in a second tab that was faster.
        if (known := await identities.find(person.issuer, person.subject)) is None:
            raise _account_exists(provider)
        return await _seen_again(session, known, person)
    await _add(session, person, provider, new_user_id)
    user = await users.lock(new_user_id)
    said = {"provider": provider, "email": person.email}
    await record_audit(session, acting(user), "user.created", object_=str(user.id), data=said)
    return user


async def link(session: WriteSession, person: Person, provider: str, user_id: UUID) -> UserRow:
    """Add the identity to the user. Raises Conflict if it, or its address, belongs to another user."""
    identities, users = Identities(session), Users(session)
    user = await users.lock(user_id)
    known = await identities.find(person.issuer, person.subject)
    if known is not None and known.user_id != user_id:
        raise _identity_taken()
    if known is not None:
        return await _seen_again(session, known, person)
    others = await identities.users_of(person.email) - {user_id}
    if others or not await users.may_have(user_id, person.email):
        raise _account_exists(provider)
    await _add(session, person, provider, user_id)
    said = {"provider": provider, "email": person.email}
    await record_audit(session, acting(user), "identity.linked", object_=str(user_id), data=said)
    return user


async def _seen_again(session: WriteSession, known: IdentityRow, person: Person) -> UserRow:
    users = Users(session)
    user = await users.lock(known.user_id)
    await Identities(session).used(person.issuer, person.subject, person.email)
    if known.email != person.email and user.email == known.email:
        await users.set_email(user.id, person.email)
        user = await users.get(user.id)
    return user


async def _add(session: WriteSession, person: Person, provider: str, user_id: UUID) -> None:
    identities = Identities(session)
    await identities.insert(user_id, person.issuer, person.subject, provider, person.email)
    stored = await identities.find(person.issuer, person.subject)
    if stored is None or stored.user_id != user_id:  # another request was faster
        raise _identity_taken()


def _identity_taken() -> Conflict:
    return Conflict(
        "This account is linked to another user.",
        code="identity_taken",
        hint="Choose another account, or sign in with it and unlink it there.",
    )


def _account_exists(provider: str) -> Conflict:
    return Conflict(
        "A user with this address already exists and signs in another way.",
        code="account_exists",
        hint=f"Sign in the way you did before, then link {provider} to your user.",
    )

"""The users of the installation: who may see and change them, and that there is always an admin."""

import asyncio
from uuid import uuid4

import pytest

from combine.auth.permissions import OPERATOR, Actor, InstanceRole, Scope
from combine.errors import CombineError
from combine.services.users import UserService
from combine.storage.people.users import LOCAL_USER_ID

ADMIN, MEMBER = InstanceRole.ADMIN, InstanceRole.MEMBER


@pytest.fixture
async def admin(town):
    return await town.person("admin", ADMIN)


@pytest.fixture
async def ann(town):
    return await town.person("ann")


@pytest.fixture
def service_of(database):
    def of(actor, scope=None):
        return UserService(database, actor=actor if scope is None else Actor(actor.user_id, actor.role, scope))

    return of


async def outcome(awaitable):
    try:
        await awaitable
    except CombineError as error:
        return error.code
    return "done"


@pytest.mark.parametrize(
    ("who", "scope", "result"),
    [
        ("member", Scope.ADMIN, "admin_needed"),
        ("member", Scope.READ, "scope_missing"),
        ("admin", Scope.READ, "scope_missing"),
        ("admin", Scope.RUN, "scope_missing"),
        ("admin", Scope.ADMIN, "done"),
        ("operator", Scope.ADMIN, "done"),
    ],
)
async def test_admins_see_and_change_all(database, town, who, scope, result):
    ann = await town.person("ann")
    user_id = {"member": ann.user_id, "admin": (await town.person("admin", ADMIN)).user_id, "operator": None}[who]
    service = UserService(database, actor=Actor(user_id, MEMBER if who == "member" else ADMIN, scope))
    assert await outcome(service.list()) == result
    assert await outcome(service.set_role(ann.user_id, ADMIN)) == result
    assert await outcome(service.disable(ann.user_id)) == result
    assert await outcome(service.enable(ann.user_id)) == result
    assert await outcome(service.disable(uuid4())) == ("user_not_found" if result == "done" else result)


@pytest.mark.parametrize("scope", list(Scope))
async def test_everybody_sees_themselves(service_of, ann, scope):
    me = await service_of(ann, scope).me()
    assert (me.user.id, me.user.name, me.user.role, me.scope) == (ann.user_id, "ann", MEMBER, scope)
    assert [(one.provider, one.email) for one in me.identities] == [("own", "ann@example.org")]
    assert await outcome(service_of(OPERATOR).me()) == "person_needed"


async def test_roles_and_shutting_out(service_of, admin, ann, town):
    service = service_of(admin)
    assert (await service.set_role(ann.user_id, ADMIN)).role is ADMIN
    await service.set_role(ann.user_id, ADMIN)
    assert (await service.disable(ann.user_id)).disabled
    await service.disable(ann.user_id)
    assert not (await service.enable(ann.user_id)).disabled
    await service.enable(ann.user_id)
    assert await town.audit() == ["user.role_set", "user.disabled", "user.enabled"]


@pytest.mark.parametrize("by", ["operator", "themselves"])
async def test_the_last_admin_stays(service_of, admin, ann, by):
    service = service_of(OPERATOR if by == "operator" else admin)
    assert await outcome(service.set_role(admin.user_id, MEMBER)) == "last_admin"
    assert await outcome(service.set_role(admin.user_id, ADMIN)) == "done"
    shut_out = await outcome(service.disable(admin.user_id))
    assert shut_out == ("last_admin" if by == "operator" else "own_account")
    await service.set_role(ann.user_id, ADMIN)
    assert await outcome(service.set_role(admin.user_id, MEMBER)) == "done"


async def test_a_disabled_admin_does_not_count(service_of, admin, ann):
    service = service_of(OPERATOR)
    await service.set_role(ann.user_id, ADMIN)
    await service.disable(ann.user_id)
    assert await outcome(service.disable(admin.user_id)) == "last_admin"
    assert await outcome(service.set_role(ann.user_id, MEMBER)) == "done"


async def test_nobody_can_disable_themselves(service_of, admin, ann):
    await service_of(admin).set_role(ann.user_id, ADMIN)
    assert await outcome(service_of(admin).disable(admin.user_id)) == "own_account"


@pytest.mark.parametrize("how", ["demote", "disable"])
async def test_of_two_admins_who_demote_each_other_one_stays(service_of, admin, ann, town, how):
    async def act(by, whom):
        service = service_of(Actor(by.user_id, ADMIN, Scope.ADMIN))
        await (service.set_role(whom.user_id, MEMBER) if how == "demote" else service.disable(whom.user_id))

    for _ in range(5):
        await town.run("UPDATE users SET role = 'admin', disabled_at = NULL")
        results = await asyncio.gather(outcome(act(admin, ann)), outcome(act(ann, admin)))
        assert sorted(results) == ["done", "last_admin"]


async def test_the_user_of_local_mode(service_of, admin, door):
    await door.sign_in.local_sign_in()
    service = service_of(admin)
    assert await outcome(service.set_role(LOCAL_USER_ID, MEMBER)) == "local_user"
    assert (
        await outcome(service_of(OPERATOR).set_role(admin.user_id, MEMBER)) == "last_admin"
    )  # the local user does not count
    assert await outcome(service.disable(LOCAL_USER_ID)) == "done"
    assert await outcome(door.sign_in.local_sign_in()) == "user_disabled"
    assert await outcome(service.enable(LOCAL_USER_ID)) == "done"
    await door.sign_in.local_sign_in()


async def test_disabling_a_user_ends_their_sessions_at_once(service_of, admin, door, issuer):
    ann = [await door.through(issuer, "ann-2", "ann2@example.org") for _ in range(2)]
    await service_of(admin).disable(ann[0].user.id)
    for one in ann:
        assert await outcome(door.actor(one)) == "session_ended"
    await service_of(admin).enable(ann[0].user.id)
    assert await outcome(door.actor(ann[0])) == "session_ended"


async def test_signing_in_and_being_disabled_concurrently_leaves_no_session(service_of, admin, door, issuer, town):
    user = (await door.through(issuer, "ann-2", "ann2@example.org")).user
    for _ in range(5):
        await service_of(admin).enable(user.id)
        await asyncio.gather(
            outcome(door.through(issuer, "ann-2", "ann2@example.org")), service_of(admin).disable(user.id)
        )
        assert (await town.run("SELECT count(*) FROM sessions")).scalar_one() == 0


async def test_pages_have_no_gap_and_no_repeat(service_of, admin, town):
    for number in range(5):
        await town.person(f"more-{number}")
    await town.run("UPDATE users SET created_at = date_trunc('day', created_at)")
    seen, before = [], None
    while page := await service_of(admin).list(before=before, limit=2):
        seen += [one.name for one in page]
        before = (page[-1].created_at, page[-1].id)
    assert sorted(seen) == ["admin", *(f"more-{number}" for number in range(5))]

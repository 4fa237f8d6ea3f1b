"""Who may see and change the roles in a project, and that there is always an owner."""

import asyncio
from itertools import product
from uuid import uuid4

import pytest

from combine.auth.permissions import OPERATOR, Actor, InstanceRole, ProjectRole, Scope
from combine.errors import CombineError, Conflict, NotFound, NotPermitted
from combine.services.members import MemberService

ROLES = {"owner": ProjectRole.OWNER, "editor": ProjectRole.EDITOR, "viewer": ProjectRole.VIEWER}


@pytest.fixture
async def people(town):
    made = {name: await town.person(name) for name in (*ROLES, "target", "stranger")}
    return made | {"admin": await town.person("admin", InstanceRole.ADMIN), "operator": OPERATOR}


@pytest.fixture
async def project_id(town, people):
    members = {people[name]: role for name, role in ROLES.items()} | {people["target"]: ProjectRole.VIEWER}
    return await town.project(members=members)


@pytest.fixture
def service_of(database, people):
    def of(name, scope=None):
        actor = people[name]
        return MemberService(database, actor=actor if scope is None else Actor(actor.user_id, actor.role, scope))

    return of


async def outcome(awaitable):
    try:
        await awaitable
    except CombineError as error:
        return error.code
    return "done"


@pytest.mark.parametrize(
    ("name", "results"),
    [
        ("stranger", ("project_not_found", "project_not_found")),
        ("viewer", ("done", "role_missing")),
        ("editor", ("done", "role_missing")),
        ("owner", ("done", "done")),
        ("admin", ("done", "done")),
        ("operator", ("done", "done")),
    ],
)
async def test_who_sees_and_who_changes(service_of, people, project_id, name, results):
    sees, changes = results
    service, target = service_of(name), people["target"].user_id
    assert await outcome(service.list(project_id)) == sees
    assert await outcome(service.set_role(project_id, target, ProjectRole.EDITOR)) == changes
    assert await outcome(service.remove(project_id, target)) == changes


@pytest.mark.parametrize("scope", [Scope.READ, Scope.RUN])
async def test_changing_needs_the_scope_admin(service_of, people, project_id, scope):
    service, target = service_of("owner", scope), people["target"].user_id
    assert await outcome(service.list(project_id)) == "done"
    assert await outcome(service.set_role(project_id, target, ProjectRole.EDITOR)) == "scope_missing"
    assert await outcome(service.remove(project_id, target)) == "scope_missing"
    assert await outcome(service.remove(project_id, people["owner"].user_id)) == "scope_missing"


async def test_an_unknown_project(service_of, people):
    for name in ("stranger", "admin", "operator"):
        service = service_of(name)
        assert await outcome(service.list(uuid4())) == "project_not_found"
        assert (
            await outcome(service.set_role(uuid4(), people["target"].user_id, ProjectRole.OWNER)) == "project_not_found"
        )


async def test_setting_a_role(service_of, people, project_id, town):
    service, target = service_of("owner"), people["target"].user_id
    for role in ProjectRole:
        assert (await service.set_role(project_id, target, role)).role is role
    await service.set_role(project_id, target, ProjectRole.OWNER)
    assert (await town.roles(project_id))["target"] == "owner"
    assert (await town.audit()).count("member.role_set") == 2  # the first and the last changed nothing


async def test_a_user_who_is_not_a_member(service_of, people, project_id):
    service = service_of("owner")
    for user_id in (people["stranger"].user_id, uuid4()):
        assert await outcome(service.set_role(project_id, user_id, ProjectRole.VIEWER)) == "member_not_found"
        assert await outcome(service.remove(project_id, user_id)) == "member_not_found"


@pytest.mark.parametrize("name", ["viewer", "editor", "target"])
async def test_everybody_may_leave(service_of, people, project_id, town, name):
    await service_of(name).remove(project_id, people[name].user_id)
    assert name not in await town.roles(project_id)
    assert await outcome(service_of(name).list(project_id)) == "project_not_found"
    assert (await town.audit())[-1] == "member.removed"


@pytest.mark.parametrize("by", ["owner", "admin", "operator"])
async def test_the_last_owner_stays(service_of, people, project_id, town, by):
    service, owner = service_of(by), people["owner"].user_id
    assert await outcome(service.remove(project_id, owner)) == "last_owner"
    assert await outcome(service.set_role(project_id, owner, ProjectRole.VIEWER)) == "last_owner"
    assert await outcome(service.set_role(project_id, owner, ProjectRole.OWNER)) == "done"
    assert (await town.roles(project_id))["owner"] == "owner"


async def test_a_disabled_owner_does_not_count(service_of, people, project_id, town):
    service = service_of("owner")
    await service.set_role(project_id, people["target"].user_id, ProjectRole.OWNER)
    await town.run("UPDATE users SET disabled_at = clock_timestamp() WHERE name = 'target'")
    assert await outcome(service.remove(project_id, people["owner"].user_id)) == "last_owner"
    assert await outcome(service.remove(project_id, people["target"].user_id)) == "done"


async def demote(service, project_id, user_id):
    await service.set_role(project_id, user_id, ProjectRole.VIEWER)


async def remove(service, project_id, user_id):
    await service.remove(project_id, user_id)


EACH_OTHER = [("owner", "target"), ("target", "owner")]
THEMSELVES = [("owner", "owner"), ("target", "target")]


@pytest.mark.parametrize(("how", "pairs"), [*product([demote, remove], [EACH_OTHER, THEMSELVES])])
async def test_of_two_owners_who_act_at_once_one_stays(database, town, how, pairs):
    people = {name: await town.person(name) for name in ("owner", "target")}
    project_id = await town.project(members=dict.fromkeys(people.values(), "owner"))
    service_of = {name: MemberService(database, actor=actor) for name, actor in people.items()}
    for _ in range(5):
        results = await asyncio.gather(
            *(outcome(how(service_of[by], project_id, people[of].user_id)) for by, of in pairs)
        )
        assert results.count("done") == 1
        assert set(results) - {"done"} <= {"last_owner", "role_missing", "project_not_found"}
        assert list((await town.roles(project_id)).values()).count("owner") == 1
        for actor in people.values():
            await town.join(project_id, actor, "owner")


async def test_pages_have_no_gap_and_no_repeat(service_of, project_id, town):
    for number in range(5):
        await town.join(project_id, await town.person(f"more-{number}"), "viewer")
    await town.run("UPDATE project_members SET created_at = date_trunc('day', created_at)")
    service, seen, after = service_of("viewer"), [], None
    while page := await service.list(project_id, after=after, limit=2):
        seen += [one.name for one in page]
        after = (page[-1].created_at, page[-1].user_id)
    assert sorted(seen) == sorted(await town.roles(project_id))


async def test_the_errors_are_of_the_right_family(service_of, people, project_id):
    owner = people["owner"].user_id
    for attempt, kind in [
        (service_of("stranger").list(project_id), NotFound),
        (service_of("viewer").remove(project_id, owner), NotPermitted),
        (service_of("owner").remove(project_id, owner), Conflict),
    ]:
        with pytest.raises(kind):
            await attempt

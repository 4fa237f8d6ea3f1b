"""The audit: in the same commit as the change, with the request that caused it, for owners and admins."""

from decimal import Decimal

import pytest
from cut_line import Cut, cut_line

from combine.auth.permissions import OPERATOR, Actor, InstanceRole, ProjectRole, Scope
from combine.errors import CombineError
from combine.observability.correlation import caused_by
from combine.services.audit import AuditService, record_audit
from combine.services.members import MemberService
from combine.services.projects import ProjectService
from combine.services.tokens import TokenService
from combine.services.users import UserService
from combine.storage.core.database import Database


@pytest.fixture
async def people(town):
    made = {name: await town.person(name) for name in ("owner", "editor", "viewer", "stranger")}
    return made | {"admin": await town.person("admin", InstanceRole.ADMIN), "operator": OPERATOR}


@pytest.fixture
async def project_id(town, people):
    return await town.project(members={people[name]: name for name in ("owner", "editor", "viewer")})


async def outcome(awaitable):
    try:
        await awaitable
    except CombineError as error:
        return error.code
    return "done"


@pytest.mark.parametrize(
    ("name", "results"),
    [
        ("stranger", ("project_not_found", "admin_needed")),
        ("viewer", ("role_missing", "admin_needed")),
        ("editor", ("role_missing", "admin_needed")),
        ("owner", ("done", "admin_needed")),
        ("admin", ("done", "done")),
        ("operator", ("done", "done")),
    ],
)
async def test_who_reads_it(database, people, project_id, name, results):
    service = AuditService(database, actor=people[name])
    assert (await outcome(service.list(project_id=project_id)), await outcome(service.list())) == results


@pytest.mark.parametrize("scope", [Scope.READ, Scope.RUN])
async def test_it_needs_the_scope_admin(database, people, project_id, scope):
    for name in ("owner", "admin"):
        service = AuditService(database, actor=Actor(people[name].user_id, people[name].role, scope))
        assert await outcome(service.list(project_id=project_id)) == "scope_missing"
        assert await outcome(service.list()) == "scope_missing"


async def test_a_row_has_the_user_the_action_the_object_and_the_request(database, people, project_id):
    owner, viewer = people["owner"], people["viewer"]
    made = await TokenService(database, actor=owner).create("ci", Scope.ADMIN)
    by_token = Actor(owner.user_id, owner.role, Scope.ADMIN, token_id=made.token.id)
    with caused_by("request-7"):
        await MemberService(database, actor=by_token).set_role(project_id, viewer.user_id, ProjectRole.EDITOR)
    [row] = await AuditService(database, actor=owner).list(project_id=project_id)
    assert (row.action, row.user_id, row.user_name) == ("member.role_set", owner.user_id, "owner")
    assert (row.token_id, row.request_id, row.object) == (made.token.id, "request-7", str(viewer.user_id))
    assert row.data == {"from": "viewer", "to": "editor"}


async def test_what_the_operator_does_has_no_user(database, people):
    await UserService(database, actor=OPERATOR).disable(people["viewer"].user_id)
    [row] = await AuditService(database, actor=OPERATOR).list()
    assert (row.user_id, row.user_name, row.request_id) == (None, None, None)


async def test_a_change_that_is_rolled_back_leaves_no_row(database, town):
    async def work(session):
        await record_audit(session, OPERATOR, "user.disabled")
        raise LookupError

    with pytest.raises(LookupError):
        await database.transact(work)
    assert await town.audit() == []


async def test_a_refused_change_leaves_no_row(database, people, project_id, town):
    service = MemberService(database, actor=people["owner"])
    assert await outcome(service.remove(project_id, people["owner"].user_id)) == "last_owner"
    assert await town.audit() == []


async def test_pages_have_no_gap_and_no_repeat(database, people, project_id):
    async def work(session):
        for number in range(7):
            of = project_id if number % 2 else None
            await record_audit(session, people["owner"], "user.disabled", project_id=of, object_=str(number))

    await database.transact(work)
    for actor, of, wanted in (
        (OPERATOR, None, ["6", "5", "4", "3", "2", "1", "0"]),
        (people["owner"], project_id, ["5", "3", "1"]),
    ):
        service, seen, before = AuditService(database, actor=actor), [], None
        while page := await service.list(project_id=of, before=before, limit=2):
            seen += [one.object for one in page]
            before = page[-1].id
        assert seen == wanted


@pytest.mark.parametrize("cut", Cut)
async def test_a_change_with_an_unknown_commit_is_audited_once(database_url, people, project_id, cut):
    async with cut_line(database_url) as line:
        database = Database(line.url)
        service = ProjectService(database, actor=people["owner"])
        await service.set_budget(project_id, Decimal(3))
        line.cuts.append(cut)
        assert (await service.set_budget(project_id, Decimal(5))).budget_usd == 5
        assert line.cuts == []
        rows = await AuditService(database, actor=people["owner"]).list(project_id=project_id)
        assert [row.data["budget_usd"] for row in rows] == ["5", "3"]
        await database.close()


async def test_a_change_with_an_unknown_commit_is_not_refused_when_retried(database_url, people, project_id):
    async with cut_line(database_url) as line:
        database = Database(line.url)
        service = ProjectService(database, actor=people["owner"])
        line.cuts.append(Cut.AFTER)
        made = await service.create("New", Decimal(1))
        assert (made.name, line.cuts) == ("New", [])
        rows = await AuditService(database, actor=people["owner"]).list(project_id=made.id)
        assert [row.action for row in rows] == ["project.created"]
        await database.close()

"""Invitations by address: who creates them, who can accept them, and that accepting never lowers a role."""

import asyncio
from datetime import timedelta
from itertools import product
from uuid import uuid4

import pytest

from combine.auth.permissions import OPERATOR, Actor, InstanceRole, ProjectRole, Scope
from combine.errors import CombineError
from combine.services.invitations import InvitationService


@pytest.fixture
async def people(town):
    made = {name: await town.person(name) for name in ("owner", "editor", "viewer", "bob", "carl")}
    return made | {"admin": await town.person("admin", InstanceRole.ADMIN), "operator": OPERATOR}


@pytest.fixture
async def project_id(town, people):
    return await town.project(members={people[name]: name for name in ("owner", "editor", "viewer")})


@pytest.fixture
def service_of(database, people):
    def of(name, scope=None):
        actor = people[name]
        return InvitationService(database, actor=actor if scope is None else Actor(actor.user_id, actor.role, scope))

    return of


async def outcome(awaitable):
    try:
        await awaitable
    except CombineError as error:
        return error.code
    return "done"


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("bob", "project_not_found"),
        ("viewer", "role_missing"),
        ("editor", "role_missing"),
        ("owner", "done"),
        ("admin", "done"),
        ("operator", "done"),
    ],
)
async def test_owners_create_list_and_revoke_invitations(service_of, project_id, name, result):
    made = await service_of("owner").create(project_id, "bob@example.org", ProjectRole.VIEWER)
    service = service_of(name)
    assert await outcome(service.create(project_id, "new@example.org", ProjectRole.VIEWER)) == result
    assert await outcome(service.list(project_id)) == result
    assert await outcome(service.revoke(project_id, made.id)) == result


@pytest.mark.parametrize(("scope", "lists"), [(Scope.READ, "done"), (Scope.RUN, "done")])
async def test_inviting_needs_the_scope_admin(service_of, project_id, scope, lists):
    made = await service_of("owner").create(project_id, "bob@example.org", ProjectRole.VIEWER)
    service = service_of("owner", scope)
    assert await outcome(service.create(project_id, "new@example.org", ProjectRole.VIEWER)) == "scope_missing"
    assert await outcome(service.list(project_id)) == lists
    assert await outcome(service.revoke(project_id, made.id)) == "scope_missing"
    assert await outcome(service_of("bob", scope).accept(made.id)) == "scope_missing"
    assert await outcome(service_of("bob", scope).decline(made.id)) == "scope_missing"
    assert [one.id for one in await service_of("bob", scope).mine()] == [made.id]


@pytest.mark.parametrize("role", list(ProjectRole))
async def test_accepting_makes_a_member(service_of, project_id, town, role):
    made = await service_of("owner").create(project_id, " Bob@Example.org", role)
    assert (made.email, made.role, made.state, made.project) == ("bob@example.org", role, "open", "Shop")
    assert abs(made.expires_at - made.created_at - timedelta(days=14)) < timedelta(seconds=5)
    assert [one.id for one in await service_of("bob").mine()] == [made.id]
    assert (await service_of("bob").accept(made.id)).state == "accepted"
    assert (await town.roles(project_id))["bob"] == role
    assert await service_of("bob").mine() == ()
    assert await outcome(service_of("bob").accept(made.id)) == "invitation_accepted"
    assert await outcome(service_of("bob").decline(made.id)) == "invitation_accepted"
    assert await outcome(service_of("owner").revoke(project_id, made.id)) == "invitation_accepted"
    assert await town.audit() == ["invitation.created", "invitation.accepted"]


async def test_only_the_invited_address_opens_it(service_of, project_id):
    made = await service_of("owner").create(project_id, "bob@example.org", ProjectRole.VIEWER)
    for name in ("carl", "owner", "admin"):
        service = service_of(name)
        assert await service.mine() == ()
        assert await outcome(service.accept(made.id)) == "invitation_not_found"
        assert await outcome(service.decline(made.id)) == "invitation_not_found"
    assert await outcome(service_of("bob").accept(uuid4())) == "invitation_not_found"
    assert await outcome(service_of("operator").accept(made.id)) == "person_needed"
    assert await outcome(service_of("operator").mine()) == "person_needed"


async def test_an_unverified_address_opens_nothing(service_of, project_id, town):
    made = await service_of("owner").create(project_id, "bob@example.org", ProjectRole.VIEWER)
    await town.run("UPDATE identities SET email = 'robert@example.org' WHERE email = 'bob@example.org'")
    assert await outcome(service_of("bob").accept(made.id)) == "invitation_not_found"


async def test_a_second_identity_opens_invitations_too(service_of, people, project_id, town):
    made = await service_of("owner").create(project_id, "robert@example.com", ProjectRole.VIEWER)
    await town.run(
        "INSERT INTO identities (issuer, subject, user_id, provider, email)"
        " VALUES ('https://other.example', 'r', :id, 'other', 'robert@example.com')",
        id=people["bob"].user_id,
    )
    assert await outcome(service_of("bob").accept(made.id)) == "done"


@pytest.mark.parametrize(("held", "invited"), [*product(ProjectRole, ProjectRole)])
async def test_accepting_never_lowers_a_role(database, town, held, invited):
    owner, bob = await town.person("owner"), await town.person("bob")
    project_id = await town.project(members={owner: "owner"})
    made = await InvitationService(database, actor=owner).create(project_id, "bob@example.org", invited)
    await town.join(project_id, bob, held)  # meanwhile, by other means
    await InvitationService(database, actor=bob).accept(made.id)
    order = list(ProjectRole)
    assert (await town.roles(project_id))["bob"] == max(held, invited, key=order.index)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("expires_at = clock_timestamp()", "invitation_expired"),
        ("revoked_at = clock_timestamp()", "invitation_revoked"),
        ("accepted_at = clock_timestamp()", "invitation_accepted"),
    ],
)
async def test_an_invitation_that_is_no_longer_open(service_of, project_id, town, change, code):
    made = await service_of("owner").create(project_id, "bob@example.org", ProjectRole.VIEWER)
    await town.run(f"UPDATE invitations SET {change}")
    assert await service_of("bob").mine() == ()
    assert await outcome(service_of("bob").accept(made.id)) == code
    [seen] = await service_of("owner").list(project_id)
    assert seen.state == code.removeprefix("invitation_")


async def test_declining_and_revoking(service_of, project_id, town):
    first = await service_of("owner").create(project_id, "bob@example.org", ProjectRole.VIEWER)
    for _ in range(2):
        assert (await service_of("bob").decline(first.id)).state == "revoked"
    second = await service_of("owner").create(project_id, "bob@example.org", ProjectRole.VIEWER)
    for _ in range(2):
        assert (await service_of("owner").revoke(project_id, second.id)).state == "revoked"
    assert await outcome(service_of("bob").accept(second.id)) == "invitation_revoked"
    assert await town.audit() == [
        "invitation.created",
        "invitation.declined",
        "invitation.created",
        "invitation.revoked",
    ]


async def test_inviting_again_replaces_the_first_invitation(service_of, project_id):
    first = await service_of("owner").create(project_id, "bob@example.org", ProjectRole.OWNER)
    second = await service_of("owner").create(project_id, "bob@example.org", ProjectRole.VIEWER)
    assert [one.id for one in await service_of("bob").mine()] == [second.id]
    assert await outcome(service_of("bob").accept(first.id)) == "invitation_revoked"


async def test_invalid_invitations_are_refused(service_of, project_id):
    service = service_of("owner")
    assert await outcome(service.create(project_id, "viewer@example.org", ProjectRole.OWNER)) == "already_member"
    assert await outcome(service.create(project_id, "no address", ProjectRole.VIEWER)) == "email_invalid"


async def test_an_invitation_of_another_project_is_not_found_in_this_one(service_of, people, project_id, town):
    other = await town.project("Other", members={people["owner"]: "owner"})
    made = await service_of("owner").create(other, "bob@example.org", ProjectRole.VIEWER)
    assert await outcome(service_of("owner").revoke(project_id, made.id)) == "invitation_not_found"


async def test_accepting_and_revoking_concurrently_has_one_outcome(service_of, project_id, town):
    for _ in range(5):
        made = await service_of("owner").create(project_id, "bob@example.org", ProjectRole.VIEWER)
        results = await asyncio.gather(
            outcome(service_of("bob").accept(made.id)), outcome(service_of("owner").revoke(project_id, made.id))
        )
        assert results.count("done") == 1
        assert ("bob" in await town.roles(project_id)) is (results[0] == "done")
        await town.run("DELETE FROM project_members WHERE user_id IN (SELECT id FROM users WHERE name = 'bob')")


async def test_pages_have_no_gap_and_no_repeat(service_of, project_id, town):
    service = service_of("owner")
    made = [await service.create(project_id, f"{number}@example.org", ProjectRole.VIEWER) for number in range(5)]
    await town.run("UPDATE invitations SET created_at = date_trunc('day', created_at)")
    seen, before = [], None
    while page := await service.list(project_id, before=before, limit=2):
        seen += [one.id for one in page]
        before = (page[-1].created_at, page[-1].id)
    assert sorted(seen) == sorted(one.id for one in made)

"""Users are found by issuer and subject, never by address; a signed-in user can link an identity."""

import asyncio

import pytest
from town import COOKIE, config_of

from combine.auth.permissions import InstanceRole
from combine.errors import CombineError, Conflict, NotFound, NotPermitted, NotSignedIn
from combine.services.sign_in import Browser
from combine.services.users import UserService
from combine.storage.people.users import Users


@pytest.fixture
def two_ways(issuer, another_issuer, door_of):
    return door_of(config_of(issuer), config_of(another_issuer, "other"))


async def refused(awaitable, kind, code):
    with pytest.raises(kind) as caught:
        await awaitable
    assert caught.value.code == code
    return caught.value


async def test_the_same_address_elsewhere_is_not_the_same_user(two_ways, issuer, another_issuer, town):
    await two_ways.through(issuer, "ann", "ann@example.org")
    attempt = two_ways.through(another_issuer, "ann", "ann@example.org", provider="other")
    error = await refused(attempt, Conflict, "account_exists")
    assert "link" in error.hint
    assert (await town.run("SELECT count(*) FROM identities")).scalar_one() == 1


async def test_the_same_subject_elsewhere_is_not_the_same_user(two_ways, issuer, another_issuer):
    first = await two_ways.through(issuer, "1", "ann@example.org")
    second = await two_ways.through(another_issuer, "1", "bob@example.org", provider="other")
    assert first.user.id != second.user.id


async def test_linking_adds_a_second_way_in(two_ways, issuer, another_issuer, town, database):
    ann = await two_ways.through(issuer, "ann", "ann@example.org")
    linked = await two_ways.through(
        another_issuer,
        "ann-2",
        "ann.b@example.org",
        provider="other",
        session=ann.session_secret,
        link_user_id=ann.user.id,
    )
    assert linked.linked
    assert linked.user.id == ann.user.id
    assert linked.user.email == "ann@example.org"
    await refused(two_ways.actor(ann), NotSignedIn, "session_ended")  # replaced by the new one
    again = await two_ways.through(another_issuer, "ann-2", "ann.b@example.org", provider="other")
    assert again.user.id == ann.user.id
    me = await UserService(database, actor=await two_ways.actor(again)).me()
    assert [(one.provider, one.email) for one in me.identities] == [
        ("own", "ann@example.org"),
        ("other", "ann.b@example.org"),
    ]
    assert "identity.linked" in await town.audit()


async def test_linking_twice_is_linking_once(two_ways, issuer, another_issuer, town):
    ann = await two_ways.through(issuer, "ann", "ann@example.org")
    for _ in range(2):
        ann = await two_ways.through(
            another_issuer,
            "ann",
            "ann@example.org",
            provider="other",
            session=ann.session_secret,
            link_user_id=ann.user.id,
        )
    assert (await town.audit()).count("identity.linked") == 1


async def test_an_identity_with_the_address_of_another_user_is_not_linked(two_ways, issuer, another_issuer):
    ann = await two_ways.through(issuer, "ann", "ann@example.org")
    await two_ways.through(issuer, "bob", "bob@example.org")
    attempt = two_ways.through(
        another_issuer, "x", "bob@example.org", provider="other", session=ann.session_secret, link_user_id=ann.user.id
    )
    await refused(attempt, Conflict, "account_exists")


@pytest.mark.parametrize("who", ["nobody", "somebody else", "signed out", "expired"])
async def test_linking_requires_that_the_user_is_still_signed_in(two_ways, issuer, another_issuer, town, who):
    ann = await two_ways.through(issuer, "ann", "ann@example.org")
    bob = await two_ways.through(issuer, "bob", "bob@example.org")
    session = {"nobody": None, "somebody else": bob.session_secret}.get(who, ann.session_secret)
    if who == "signed out":
        await two_ways.sign_in.sign_out(session, "http://localhost:8765")
    if who == "expired":
        await town.run("UPDATE sessions SET expires_at = clock_timestamp()")
    attempt = two_ways.through(
        another_issuer, "ann", "ann@example.org", provider="other", session=session, link_user_id=ann.user.id
    )
    await refused(attempt, NotSignedIn, "link_session_ended")


async def test_unlinking_leaves_one_way_in(two_ways, issuer, another_issuer, database, town):
    ann = await two_ways.through(issuer, "ann", "ann@example.org")
    more = {"provider": "other", "session": ann.session_secret, "link_user_id": ann.user.id}
    service = UserService(
        database, actor=await two_ways.actor(await two_ways.through(another_issuer, "a", "ann@example.org", **more))
    )
    own, other = (await service.me()).identities
    await refused(service.unlink("0" * 32), NotFound, "identity_not_found")
    assert [one.id for one in (await service.unlink(own.id)).identities] == [other.id]
    await refused(service.unlink(own.id), NotFound, "identity_not_found")
    await refused(service.unlink(other.id), Conflict, "identity_last")
    assert (await town.audit()).count("identity.unlinked") == 1


async def test_two_concurrent_unlinks_leave_one_way_in(two_ways, issuer, another_issuer, database):
    ann = await two_ways.through(issuer, "ann", "ann@example.org")
    more = {"provider": "other", "session": ann.session_secret, "link_user_id": ann.user.id}
    service = UserService(
        database, actor=await two_ways.actor(await two_ways.through(another_issuer, "a", "ann@example.org", **more))
    )
    ids = [one.id for one in (await service.me()).identities]
    results = await asyncio.gather(*(service.unlink(one) for one in ids), return_exceptions=True)
    assert sorted(type(one).__name__ for one in results) == ["Conflict", "MeView"]


async def test_a_changed_address_is_updated(door, issuer):
    ann = await door.through(issuer, "ann", "ann@example.org")
    again = await door.through(issuer, "ann", "ann.baker@example.org")
    assert (again.user.id, again.user.email) == (ann.user.id, "ann.baker@example.org")
    await door.through(issuer, "new-ann", "ann@example.org")  # the old one is free


async def test_the_address_of_another_user_is_not_taken_over(door, issuer):
    ann = await door.through(issuer, "ann", "ann@example.org")
    bob = await door.through(issuer, "bob", "bob@example.org")
    again = await door.through(issuer, "bob", "ann@example.org")
    assert (again.user.id, again.user.email) == (bob.user.id, "bob@example.org")
    assert (await door.through(issuer, "ann", "ann@example.org")).user.id == ann.user.id


async def test_ten_tabs_of_a_new_user_create_one_user(door, issuer, town):
    issuer.sign_in_as("ann", "ann@example.org")
    answers = [issuer.consent(await door.begin()) for _ in range(10)]
    signed_in = await asyncio.gather(*(door.finish(one) for one in answers))
    assert len({one.user.id for one in signed_in}) == 1
    assert (await town.audit()).count("user.created") == 1


async def test_of_two_new_identities_with_one_address_one_gets_it(two_ways, issuer, another_issuer):
    issuer.sign_in_as("ann", "ann@example.org")
    another_issuer.sign_in_as("ann", "ann@example.org")
    first = issuer.consent(await two_ways.begin())
    second = another_issuer.consent(await two_ways.begin("other"))
    results = await asyncio.gather(
        two_ways.finish(first), two_ways.finish(second, provider="other"), return_exceptions=True
    )
    assert [one.code for one in results if isinstance(one, CombineError)] == ["account_exists"]


@pytest.mark.parametrize(
    ("domains", "email", "let_in"),
    [
        ({"example.org", "example.com"}, "ann@example.com", True),
        ({"*"}, "ann@anywhere.example", True),
        ({"example.org"}, "ann@example.com", False),
        (set(), "ann@example.org", False),
    ],
)
async def test_the_allowed_domains(issuer, door_of, domains, email, let_in):
    door = door_of(config_of(issuer), allowed_domains=frozenset(domains))
    if let_in:
        assert (await door.through(issuer, "ann", email)).user.email == email
    else:
        await refused(door.through(issuer, "ann", email), NotPermitted, "email_domain_not_allowed")


async def test_a_domain_that_is_no_longer_allowed(door, issuer, door_of):
    await door.through(issuer, "ann", "ann@example.org")
    stricter = door_of(config_of(issuer), allowed_domains=frozenset({"example.com"}))
    await refused(stricter.through(issuer, "ann", "ann@example.org"), NotPermitted, "email_domain_not_allowed")


async def test_only_the_configured_address_becomes_admin(issuer, door_of, town):
    door = door_of(config_of(issuer), bootstrap_admin="ann@example.org")
    assert (await door.through(issuer, "bob", "bob@example.org")).user.role is InstanceRole.MEMBER
    ann = await door.through(issuer, "ann", "Ann@example.org")
    assert ann.user.role is InstanceRole.ADMIN
    assert (await door.actor(ann)).role is InstanceRole.ADMIN
    assert (await town.audit()).count("sign_in.bootstrap_admin") == 1
    await door.through(issuer, "ann", "ann@example.org")
    assert (await town.audit()).count("sign_in.bootstrap_admin") == 1


async def test_signing_in_does_not_wait_for_a_change_of_admins(database, issuer, door_of, town):
    await town.person("bob", InstanceRole.ADMIN)
    door = door_of(config_of(issuer), bootstrap_admin="ann@example.org")

    async def work(session):
        assert await Users(session).lock_admins()
        return await asyncio.wait_for(door.through(issuer, "ann", "ann@example.org"), 30)

    assert (await database.transact(work)).user.role is InstanceRole.MEMBER


async def test_without_the_setting_nobody_becomes_admin(door, issuer):
    assert (await door.through(issuer, "ann", "ann@example.org")).user.role is InstanceRole.MEMBER


async def test_an_unverified_address_never_becomes_admin(issuer, door_of):
    door = door_of(config_of(issuer), bootstrap_admin="ann@example.org")
    attempt = door.through(issuer, "ann", "ann@example.org", email_verified=False)
    await refused(attempt, NotPermitted, "email_not_verified")


@pytest.mark.parametrize(("by", "becomes"), [("an admin", "member"), ("a disabled admin", "admin"), ("local", "admin")])
async def test_the_setting_applies_only_while_there_is_no_admin(issuer, door_of, town, by, becomes):
    door = door_of(config_of(issuer), bootstrap_admin="ann@example.org")
    if by == "local":
        await door.sign_in.local_sign_in()  # nobody can sign in as that user here
    else:
        await town.person("bob", InstanceRole.ADMIN)
    if by == "a disabled admin":
        await town.run("UPDATE users SET disabled_at = clock_timestamp()")
    assert (await door.through(issuer, "ann", "ann@example.org")).user.role.value == becomes


async def test_a_disabled_user_cannot_sign_in(door, issuer, town):
    await door.through(issuer, "ann", "ann@example.org")
    await town.run("UPDATE users SET disabled_at = clock_timestamp()")
    await refused(door.through(issuer, "ann", "ann@example.org"), NotPermitted, "user_disabled")


async def test_local_mode_has_one_user(door, town):
    first, second = await asyncio.gather(door.sign_in.local_sign_in(), door.sign_in.local_sign_in())
    assert first.user == second.user
    assert (first.user.name, first.user.email, first.user.role) == ("local", None, InstanceRole.ADMIN)
    assert (await door.actor(first)).everywhere
    rotated = await door.sign_in.local_sign_in(Browser(session_secret=first.session_secret))
    await refused(door.actor(first), NotSignedIn, "session_ended")
    assert await door.sign_in.sign_out(rotated.session_secret, "http://localhost:8765") is None
    assert (await town.run("SELECT count(*) FROM users")).scalar_one() == 1


async def test_signing_in_again_replaces_the_session(door, issuer, town):
    ann = await door.through(issuer, "ann", "ann@example.org")
    await door.through(issuer, "bob", "bob@example.org", session=ann.session_secret)
    assert (await town.run("SELECT count(*) FROM sessions")).scalar_one() == 1
    assert COOKIE not in str((await town.run("SELECT * FROM sessions")).all())


async def test_signing_out_works_while_the_provider_is_down(door, issuer, door_of):
    ann = await door.through(issuer, "ann", "ann@example.org")
    issuer.down = True
    elsewhere = door_of(config_of(issuer))  # has not fetched anything yet
    assert await elsewhere.sign_in.sign_out(ann.session_secret, "http://localhost:8765") is None
    await refused(door.actor(ann), NotSignedIn, "session_ended")

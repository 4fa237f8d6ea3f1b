"""Personal access tokens: shown once, scoped, expiring, revocable, and looked up in one statement."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from wire import watched

from combine.auth.permissions import OPERATOR, Actor, InstanceRole, Scope
from combine.auth.secrets import new_token
from combine.errors import Invalid, NotFound, NotPermitted, NotSignedIn
from combine.services.authentication import AuthenticationService
from combine.services.tokens import TokenService
from combine.services.users import UserService


@pytest.fixture
def authentication(database):
    return AuthenticationService(database, session_idle=timedelta(hours=12))


@pytest.fixture
async def ann(town):
    return await town.person("ann")


@pytest.fixture
def tokens(database, ann):
    return TokenService(database, actor=ann)


async def refused(awaitable, kind, code):
    with pytest.raises(kind) as caught:
        await awaitable
    assert caught.value.code == code


@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize("role", list(InstanceRole))
async def test_a_token_acts_for_its_user_within_its_scope(database, town, authentication, scope, role):
    carl = await town.person("carl", role)
    made = await TokenService(database, actor=carl).create("laptop", scope)
    actor = await authentication.authenticate_token(made.secret)
    assert actor == Actor(carl.user_id, role, scope, token_id=made.token.id)


async def test_the_secret_is_shown_once_and_not_stored(tokens, town):
    made = await tokens.create("  my   laptop ", Scope.READ)
    assert made.secret not in repr(made)
    assert made.token.hint == made.secret[-4:]
    assert made.token.name == "my laptop"
    stored = str((await town.run("SELECT * FROM api_tokens, audit")).all()) + repr(await tokens.list())
    assert made.secret not in stored
    assert made.secret[4:47] not in stored


@pytest.mark.parametrize("days", [1, 90, 365])
async def test_how_long_a_token_is_valid(tokens, days):
    made = (await tokens.create("x", Scope.READ, expires_in_days=days)).token
    assert abs(made.expires_at - made.created_at - timedelta(days=days)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("name", "days", "code"),
    [
        ("", 90, "token_name_invalid"),
        ("  ", 90, "token_name_invalid"),
        ("a\x00b", 90, "token_name_invalid"),
        ("x" * 81, 90, "token_name_invalid"),
        ("x", 0, "token_days_invalid"),
        ("x", 366, "token_days_invalid"),
        ("x", -1, "token_days_invalid"),
    ],
)
async def test_invalid_names_and_lifetimes_are_refused(tokens, name, days, code):
    await refused(tokens.create(name, Scope.READ, expires_in_days=days), Invalid, code)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE api_tokens SET expires_at = clock_timestamp()", "token_expired"),
        ("UPDATE api_tokens SET revoked_at = clock_timestamp()", "token_revoked"),
        ("UPDATE api_tokens SET revoked_at = clock_timestamp(), expires_at = clock_timestamp()", "token_revoked"),
        ("UPDATE users SET disabled_at = clock_timestamp()", "token_user_disabled"),
        ("DELETE FROM api_tokens", "token_unknown"),
    ],
)
async def test_a_token_that_is_no_longer_valid(tokens, authentication, town, change, code):
    made = await tokens.create("x", Scope.READ)
    await authentication.authenticate_token(made.secret)
    await town.run(change)
    await refused(authentication.authenticate_token(made.secret), NotSignedIn, code)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "cmb_",
        "Bearer x",
        "cmb_" + "A" * 49,
        pytest.param(new_token(), id="one of our form"),
        "\ud800",
        "' OR true --",
    ],
)
async def test_an_invalid_token(tokens, authentication, secret):
    await tokens.create("x", Scope.READ)
    await refused(authentication.authenticate_token(secret), NotSignedIn, "token_unknown")


async def test_revoking_works_at_once_and_once(tokens, authentication, town):
    made = await tokens.create("x", Scope.READ)
    first = await tokens.revoke(made.token.id)
    assert first.revoked_at is not None
    assert await tokens.revoke(made.token.id) == first
    await refused(authentication.authenticate_token(made.secret), NotSignedIn, "token_revoked")
    assert await town.audit() == ["token.created", "token.revoked"]


async def test_the_tokens_of_others_are_not_visible(tokens, database, town):
    made = await tokens.create("x", Scope.READ)
    for role in InstanceRole:
        other = TokenService(database, actor=await town.person(f"other-{role}", role))
        assert await other.list() == ()
        await refused(other.revoke(made.token.id), NotFound, "token_not_found")
        await refused(other.list(user="ann@example.org"), NotPermitted, "operator_needed")
        await refused(other.create("x", Scope.READ, user="ann@example.org"), NotPermitted, "operator_needed")


@pytest.mark.parametrize("scope", [Scope.READ, Scope.RUN])
async def test_a_token_below_admin_cannot_create_or_revoke_tokens(tokens, database, ann, scope):
    made = await tokens.create("x", Scope.READ)
    service = TokenService(database, actor=Actor(ann.user_id, ann.role, scope, token_id=made.token.id))
    await refused(service.create("y", Scope.READ), NotPermitted, "scope_missing")
    await refused(service.revoke(made.token.id), NotPermitted, "scope_missing")
    assert len(await service.list()) == 1


async def test_pages_have_no_gap_and_no_repeat(tokens, town):
    made = [await tokens.create(str(number), Scope.READ) for number in range(7)]
    await town.run("UPDATE api_tokens SET created_at = date_trunc('day', created_at)")  # the same moment for all
    seen, before = [], None
    while page := await tokens.list(before=before, limit=3):
        seen += [one.id for one in page]
        before = (page[-1].created_at, page[-1].id)
    assert sorted(seen) == sorted(one.token.id for one in made)
    assert len(seen) == 7


async def test_the_operator_creates_tokens_for_others(database, ann, town, authentication):
    operator = TokenService(database, actor=OPERATOR)
    made = await operator.create("ci", Scope.RUN, user="Ann@Example.org")
    assert (await authentication.authenticate_token(made.secret)).user_id == ann.user_id
    local = await operator.create("cli", Scope.ADMIN)
    actor = await authentication.authenticate_token(local.secret)
    assert actor.everywhere
    assert [one.name for one in await operator.list(user="ann@example.org")] == ["ci"]
    assert [one.name for one in await operator.list()] == [one.name for one in await operator.list(user="local")]
    await operator.revoke(made.token.id)
    await refused(authentication.authenticate_token(made.secret), NotSignedIn, "token_revoked")
    await refused(operator.create("x", Scope.READ, user="nobody@example.org"), NotFound, "user_not_found")
    await refused(operator.create("x", Scope.READ, user="nobody"), Invalid, "email_invalid")
    await refused(operator.revoke(uuid4()), NotFound, "token_not_found")


async def test_disabling_a_user_suspends_their_tokens(tokens, ann, database, authentication):
    made = await tokens.create("x", Scope.READ)
    operator = UserService(database, actor=OPERATOR)
    await operator.disable(ann.user_id)
    await refused(authentication.authenticate_token(made.secret), NotSignedIn, "token_user_disabled")
    await operator.enable(ann.user_id)
    await authentication.authenticate_token(made.secret)


async def test_the_last_use_is_written_once_a_minute(tokens, authentication, town):
    async def used():
        return (await town.run("SELECT last_used_at, xmin FROM api_tokens")).one()

    made = await tokens.create("x", Scope.READ)
    assert (await used()).last_used_at is None
    await asyncio.gather(*(authentication.authenticate_token(made.secret) for _ in range(20)))
    first = await used()
    assert first.last_used_at is not None
    await authentication.authenticate_token(made.secret)
    assert await used() == first
    await town.run("UPDATE api_tokens SET last_used_at = last_used_at - interval '61 seconds'")
    await authentication.authenticate_token(made.secret)
    assert (await used()).last_used_at > first.last_used_at


async def test_a_lookup_is_one_statement_without_a_transaction(tokens, authentication):
    secret = (await tokens.create("x", Scope.READ)).secret
    seen = []
    with watched(seen.append):
        await authentication.authenticate_token(secret)
        assert [one.commits for one in seen] == [True]
        seen.clear()
        await refused(authentication.authenticate_token(secret[:-1] + "!"), NotSignedIn, "token_unknown")
        assert seen == []


async def test_a_lookup_does_not_wait_for_a_locked_token(tokens, authentication, database):
    secret = (await tokens.create("x", Scope.READ)).secret
    async with database.engine.begin() as connection:
        await connection.exec_driver_sql("BEGIN")
        await connection.execute(sa.text("SELECT 1 FROM api_tokens FOR UPDATE"))
        async with asyncio.timeout(5):
            await authentication.authenticate_token(secret)

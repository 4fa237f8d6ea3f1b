"""Sessions: how long they are valid, what is written while they are used, and how they end."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from town import IDLE

from combine.auth.permissions import OPERATOR, Actor, InstanceRole, Scope
from combine.auth.secrets import new_secret
from combine.errors import NotFound, NotPermitted, NotSignedIn
from combine.services.sessions import SessionService
from combine.services.sign_in import Browser


@pytest.fixture
async def signed_in(door):
    return await door.sign_in.local_sign_in(Browser("Firefox"))


async def refused(awaitable, code, kind=NotSignedIn):
    with pytest.raises(kind) as caught:
        await awaitable
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("last_seen_at = clock_timestamp() - interval '12 hours 1 second'", "session_expired"),
        ("last_seen_at = clock_timestamp() - interval '11 hours 59 minutes'", None),
        ("expires_at = clock_timestamp()", "session_expired"),
        ("expires_at = clock_timestamp() + interval '1 minute'", None),
    ],
)
async def test_idle_and_absolute_limit(door, signed_in, town, change, code):
    await town.run(f"UPDATE sessions SET {change}")
    if code is None:
        await door.actor(signed_in)
    else:
        await refused(door.actor(signed_in), code)


async def test_it_lives_for_a_week(signed_in, town):
    row = (await town.run("SELECT expires_at - created_at AS lifetime FROM sessions")).one()
    assert abs(row.lifetime - timedelta(days=7)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "secret", ["", "x", "\ud800", pytest.param(new_secret(), id="one of our form"), "' OR true --"]
)
async def test_an_invalid_session_secret(door, signed_in, secret):
    await refused(door.authentication.authenticate_session(secret), "session_ended")


async def test_last_use_is_written_once_a_minute(door, signed_in, town):
    async def seen():
        return (await town.run("SELECT last_seen_at, xmin FROM sessions")).one()

    before = await seen()
    await door.actor(signed_in)
    assert await seen() == before
    await town.run("UPDATE sessions SET last_seen_at = last_seen_at - interval '61 seconds'")
    old = await seen()
    await asyncio.gather(*(door.actor(signed_in) for _ in range(20)))
    now = await seen()
    assert now.last_seen_at > old.last_seen_at
    await door.actor(signed_in)
    assert await seen() == now


async def test_a_lookup_does_not_extend_an_expired_session(door, signed_in, town):
    await town.run("UPDATE sessions SET last_seen_at = last_seen_at - interval '13 hours'")
    for _ in range(2):
        await refused(door.actor(signed_in), "session_expired")


async def test_a_lookup_does_not_wait_for_a_locked_session(door, signed_in, database, town):
    await town.run("UPDATE sessions SET last_seen_at = last_seen_at - interval '61 seconds'")
    async with database.engine.begin() as connection:
        await connection.execute(sa.text("SELECT 1 FROM sessions FOR UPDATE"))
        async with asyncio.timeout(5):
            await door.actor(signed_in)


async def test_listing_ones_own_sessions(door, signed_in, database, town):
    other = await door.sign_in.local_sign_in(Browser("Opera"))
    old = await door.sign_in.local_sign_in(Browser("Mosaic"))
    idle = "UPDATE sessions SET last_seen_at = last_seen_at - interval '13 hours' WHERE id = :id"
    await town.run(idle, id=old.session_id)
    actor = await door.actor(signed_in)
    ann = await town.person("ann")
    service = SessionService(database, actor=actor, session_idle=IDLE)
    assert [(one.id, one.current, one.user_agent, one.provider) for one in await service.list()] == [
        (other.session_id, False, "Opera", "local"),
        (signed_in.session_id, True, "Firefox", "local"),
    ]
    assert await SessionService(database, actor=ann, session_idle=IDLE).list() == ()


async def test_ending_one_session(door, signed_in, database, town):
    other = await door.sign_in.local_sign_in()
    service = SessionService(database, actor=await door.actor(signed_in), session_idle=IDLE)
    await service.end(other.session_id)
    await refused(door.actor(other), "session_ended")
    await door.actor(signed_in)
    await refused(service.end(other.session_id), "session_not_found", NotFound)
    ann = SessionService(database, actor=await town.person("ann"), session_idle=IDLE)
    await refused(ann.end(signed_in.session_id), "session_not_found", NotFound)
    assert (await town.audit()).count("session.ended") == 1


async def test_signing_out_everywhere(door, issuer, database, town):
    ann = [await door.through(issuer, "ann", "ann@example.org") for _ in range(3)]
    bob = await door.through(issuer, "bob", "bob@example.org")
    service = SessionService(database, actor=await door.actor(ann[0]), session_idle=IDLE)
    assert await service.end_all() == 3
    for one in ann:
        await refused(door.actor(one), "session_ended")
    await door.actor(bob)
    assert (await town.audit())[-1] == "session.ended_all"


async def test_a_token_below_admin_ends_no_session(door, signed_in, database):
    actor = Actor(signed_in.user.id, InstanceRole.ADMIN, Scope.RUN, token_id=uuid4())
    service = SessionService(database, actor=actor, session_idle=IDLE)
    await refused(service.end_all(), "scope_missing", NotPermitted)
    await refused(service.end(signed_in.session_id), "scope_missing", NotPermitted)
    assert len(await service.list()) == 1


async def test_the_operator_has_no_sessions(database):
    service = SessionService(database, actor=OPERATOR, session_idle=IDLE)
    await refused(service.list(), "person_needed", NotPermitted)


async def test_old_sessions_are_swept_by_the_next_one(door, signed_in, town):
    await town.run("UPDATE sessions SET expires_at = clock_timestamp() - interval '1 second'")
    await door.sign_in.local_sign_in()
    assert (await town.run("SELECT count(*) FROM sessions")).scalar_one() == 1

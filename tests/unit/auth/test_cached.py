"""A fetched value is shared, cached for a while, and not fetched again right after a failure."""

import asyncio

import pytest

from combine.auth.discovery import Cached
from combine.errors import Unavailable


class Source:
    """Counts fetches; fails while ``fails`` is set."""

    def __init__(self):
        self.now = 1000.0
        self.fetched = 0
        self.fails = False

    async def fetch(self):
        self.fetched += 1
        await asyncio.sleep(0)
        if self.fails:
            raise Unavailable("Down.", code="down", hint="Wait.")
        return self.fetched


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def cached(source):
    return Cached(source.fetch, clock=lambda: source.now)


async def test_concurrent_callers_cause_one_fetch(cached, source):
    assert await asyncio.gather(*(cached.get() for _ in range(50))) == [1] * 50
    assert source.fetched == 1


@pytest.mark.parametrize(("seconds", "value"), [(3599, 1), (3600, 2)])
async def test_it_is_kept_for_an_hour(cached, source, seconds, value):
    await cached.get()
    source.now += seconds
    assert await cached.get() == value


@pytest.mark.parametrize(("seconds", "value"), [(0, 1), (29, 1), (30, 2)])
async def test_a_stale_value_is_fetched_at_most_twice_a_minute(cached, source, seconds, value):
    await cached.get()
    source.now += seconds
    assert await cached.get(maybe_stale=True) == value


async def test_a_failure_is_shared_by_concurrent_callers(cached, source):
    source.fails = True
    results = await asyncio.gather(*(cached.get() for _ in range(50)), return_exceptions=True)
    assert {(type(one), one.code, one.hint) for one in results} == {(Unavailable, "down", "Wait.")}
    assert source.fetched == 1


async def test_a_failed_fetch_is_retried_after_a_pause(cached, source):
    source.fails = True
    with pytest.raises(Unavailable):
        await cached.get()
    source.fails = False
    with pytest.raises(Unavailable):
        await cached.get()
    source.now += 3
    assert await cached.get() == 2

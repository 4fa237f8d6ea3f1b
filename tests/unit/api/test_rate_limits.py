import asyncio
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from combine.api.errors import HttpError
from combine.api.limits import ConcurrencyLimit, Limit, RateLimits, Rule, client_address


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def refused():
    return []


@pytest.fixture
def limits(clock, refused):
    rules = {Limit.STARTS: Rule.of("3/minute"), Limit.SIGN_IN_FAILED: Rule.of("2/hour")}
    return RateLimits(rules, on_refused=refused.append, clock=clock)


async def test_a_limit_applies_to_any_period(limits, clock, refused):
    for second in (0, 10, 20):
        clock.now = 1000 + second
        await limits.check(Limit.STARTS, "ada")
    clock.now = 1030
    with pytest.raises(HttpError) as caught:
        await limits.check(Limit.STARTS, "ada")
    assert (caught.value.status_code, caught.value.code) == (429, "rate_limited")
    assert caught.value.headers == {"Retry-After": "30"}
    assert caught.value.details == {"limit": "starts", "retry_after_s": 30}
    assert refused == [Limit.STARTS]
    await limits.check(Limit.STARTS, "grace")
    clock.now = 1060
    await limits.check(Limit.STARTS, "ada")  # the first one is a minute old
    with pytest.raises(HttpError):
        await limits.check(Limit.STARTS, "ada")


async def test_refused_requests_do_not_count(limits, clock):
    for _ in range(2):
        await limits.check(Limit.SIGN_IN_FAILED, "1.2.3.4")
    for second in (0, 1800):
        clock.now = 1000 + second
        with pytest.raises(HttpError) as caught:
            await limits.check(Limit.SIGN_IN_FAILED, "1.2.3.4")
        assert caught.value.headers == {"Retry-After": str(3600 - second)}
    clock.now = 1000 + 3600
    await limits.check(Limit.SIGN_IN_FAILED, "1.2.3.4")


async def test_unused_keys_are_removed_from_memory(limits, clock):
    for number in range(20_000):
        clock.now += 0.1
        await limits.check(Limit.STARTS, str(number))
    assert len(limits._windows) < 2500


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_never_more_than_the_rule_in_any_window(pauses):
    async def run():
        clock, let_through = Clock(), []
        limits = RateLimits({Limit.STARTS: Rule(3, 60)}, clock=clock)
        for pause in pauses:
            clock.now += pause
            try:
                await limits.check(Limit.STARTS, "ada")
            except HttpError:
                recent = [moment for moment in let_through if moment > clock.now - 60]
                assert len(recent) == 3  # none was refused for nothing
            else:
                let_through.append(clock.now)
        for moment in let_through:
            assert sum(moment - 60 < other <= moment for other in let_through) <= 3

    asyncio.run(run())


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("a socket", "a socket"),
    ],
)
def test_the_key_of_an_address(address, key):
    assert client_address(SimpleNamespace(client=SimpleNamespace(host=address))) == key


def test_clients_without_an_address_share_one_key():
    assert client_address(SimpleNamespace(client=None)) == "unknown"


def test_slots_are_per_user_and_released():
    seats = ConcurrencyLimit(2)
    with seats.slot("ada"), seats.slot("ada"):
        with pytest.raises(HttpError) as refused, seats.slot("ada"):
            pass
        assert (refused.value.status_code, refused.value.code) == (429, "rate_limited")
        with seats.slot("bob"):
            pass
    with seats.slot("ada"):
        pass

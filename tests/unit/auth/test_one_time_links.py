"""A link of local mode works once, and not for long."""

from datetime import timedelta

import pytest

from combine.auth.secrets import OneTimeLinks


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def links(clock):
    return OneTimeLinks(timedelta(minutes=10), clock=clock)


def test_a_link_works_once(links):
    secret = links.issue()
    assert links.redeem(secret)
    assert not links.redeem(secret)


def test_links_are_independent(links):
    first, second = links.issue(), links.issue()
    assert links.redeem(second)
    assert links.redeem(first)


@pytest.mark.parametrize(("seconds", "good"), [(599, True), (600, False), (6000, False)])
def test_a_link_expires_after_ten_minutes(links, clock, seconds, good):
    secret = links.issue()
    clock.now += seconds
    assert links.redeem(secret) is good


@pytest.mark.parametrize("secret", ["", "x", "\ud800", "A" * 43])
def test_a_secret_that_was_never_issued_is_invalid(links, secret):
    links.issue()
    assert not links.redeem(secret)


def test_no_secret_is_kept_in_plain_text(links):
    secret = links.issue()
    assert secret not in repr(vars(links))

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from combine.cli.formatting import age, count, duration, status_words, usd


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "unknown price"),
        (Decimal(0), "0 USD"),
        (Decimal("0.000000"), "0 USD"),
        (Decimal("0.00002"), "< 0.0001 USD"),
        (Decimal("0.0123456"), "0.0123 USD"),
        (Decimal("12.5"), "12.5000 USD"),
    ],
)
def test_money(amount, text):
    assert usd(amount) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (0.44, "0.4 s"),
        (59.9, "59.9 s"),
        (60, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3600, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (86_400 * 3 + 4 * 3600, "3 d 4 h"),
        (86_400 * 400, "400 d 0 h"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [(-5, "0 s"), (5, "5 s"), (61, "1 min"), (7200, "2 h"), (86_400 * 9, "9 d")],
)
def test_age(ago, text):
    now = datetime(2027, 1, 1, tzinfo=UTC)
    assert age(now - timedelta(seconds=ago), now) == text


def test_counts_and_words():
    assert (count(1, "call"), count(2000, "call"), count(0, "reply", "replies")) == (
        "1 call",
        "2,000 calls",
        "0 replies",
    )
    assert status_words("waiting_for_answers") == "waiting for answers"

from datetime import UTC, datetime

import pytest

from combine.formats import is_storable, retry_after_s, storable_text, unstorable_at

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "a\tb\r\nc\x0bd\x0ce", "\x85\xa0\u2028", "\ue000\ufffd\U0001f600"])
def test_text_that_can_be_stored(text):
    assert is_storable(text)
    assert unstorable_at(text) is None
    assert storable_text(text) == text


@pytest.mark.parametrize("character", ["\0", "\x01", "\x08", "\x0e", "\x1b", "\x1f", "\x7f", "\ud800"])
def test_text_that_cannot_be_stored(character):
    text = f"ab{character}c{character}"
    assert not is_storable(text)
    assert unstorable_at(text) == 2
    assert storable_text(text) == "ab\ufffdc\ufffd"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Sun, 22 Nov 2026 12:01:30 GMT"}, 90.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_the_wait_is_read_from_the_headers(headers, seconds):
    assert retry_after_s(headers, NOW) == seconds

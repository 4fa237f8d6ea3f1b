import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from combine.api.paging import _MAX_CURSOR, Page, cursor_of, position_of
from combine.errors import Invalid
from combine.services.names import MAX_PROJECT_NAME

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs", "Cf", "Co", "Cn"]), max_size=80)
KINDS = {datetime: st.datetimes(timezones=st.just(UTC)), UUID: st.uuids(), int: st.integers(0, 2**63 - 1), str: TEXT}


@given(
    st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=3).flatmap(
        lambda kinds: st.tuples(st.just(kinds), st.tuples(*(KINDS[kind] for kind in kinds)))
    )
)
def test_a_cursor_gives_back_its_position(case):
    kinds, place = case
    assert position_of(cursor_of(*place), *kinds) == place


@pytest.mark.parametrize("letter", ["a", '"', "\N{LATIN SMALL LETTER A WITH DIAERESIS}", "\N{BREAD}"])
def test_the_cursor_of_the_longest_name_is_accepted(letter):
    assert len(cursor_of(letter * MAX_PROJECT_NAME)) <= _MAX_CURSOR


def test_another_time_zone_is_the_same_moment():
    moment = datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=5)))
    assert position_of(cursor_of(moment), datetime) == (moment,)


def test_without_a_cursor_there_is_no_position():
    assert position_of(None, int) is None


def packed(value):
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "!",
        "A",
        "\u00e4",
        packed({"a": 1}),
        packed([]),
        packed([1]),
        packed(["2026-01-01T00:00:00", str(UUID(int=7))]),
        packed(["2026-01-01T00:00:00+00:00", "no id"]),
        packed(["yesterday", str(UUID(int=7))]),
        packed([None, None]),
        packed(["2026-01-01T00:00:00+00:00", str(UUID(int=7)), 3]),
        urlsafe_b64encode(b"[" * 5000).decode(),
        urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
def test_an_invalid_cursor_is_refused(cursor):
    with pytest.raises(Invalid) as caught:
        position_of(cursor, datetime, UUID)
    assert caught.value.code == "cursor_invalid"


@pytest.mark.parametrize("value", [2**63, -(2**63), True, 1.5, "1", None])
def test_a_number_must_fit_into_the_database(value):
    with pytest.raises(Invalid):
        position_of(packed([value]), int)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_a_text_must_be_storable(text):
    with pytest.raises(Invalid):
        position_of(packed([text]), str)


@pytest.mark.parametrize(("found", "limit", "items", "more"), [(3, 3, 3, False), (4, 3, 3, True), (0, 3, 0, False)])
def test_one_extra_item_means_another_page(found, limit, items, more):
    page = Page.of(list(range(found)), limit, cursor_of)
    assert page.items == tuple(range(items))
    assert page.next_cursor == (cursor_of(items - 1) if more else None)

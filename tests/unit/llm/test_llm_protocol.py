"""What every provider has in common."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from combine.llm.protocol import text_of


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([], ""),
        (["a", "", "b"], "ab"),
        (['{"a": "\ud83d', '\ude00"}'], '{"a": "😀"}'),
        (["half \ud83d", " of one"], "half \ud83d of one"),
        (["\ude00\ud83d"], "\ude00\ud83d"),
        (["\ufeffmark"], "\ufeffmark"),
    ],
)
def test_halves_of_a_character_are_one_again(parts, text):
    assert text_of(parts) == text


@given(st.lists(st.text()))
def test_every_other_text_stays(parts):
    assert text_of(parts) == "".join(parts)

"""JSON as text: the form for storage reads back as what it was made of."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from combine.documents.ordering import canonical_json, stored_json

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(values)
def test_what_is_stored_reads_back_the_same(value):
    assert json.loads(stored_json(value).decode("utf-8", "surrogatepass")) == value


@pytest.mark.parametrize(
    "value",
    [{"b": 1, "a": [2**64, -(2**70)]}, {"half": "\ud83d"}, {"text": "naïve 東京"}, {"n": 1e16, "m": 1e-7}],
    ids=["large integers", "half a surrogate pair", "other scripts", "exponents"],
)
def test_order_of_keys_and_every_value_are_kept(value):
    read = json.loads(stored_json(value).decode("utf-8", "surrogatepass"))
    assert (list(read), read) == (list(value), value)
    assert canonical_json(read) == canonical_json(value)

from bakery_set import REQUIREMENTS, document_of
from hypothesis import given
from hypothesis import strategies as st

from combine.documents.items import id_number, id_prefix, is_too_deep, item_sources, item_text, iter_items, iter_objects

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "sources", "ref", "quote", "a"]), inner, max_size=4)
    ),
    max_leaves=20,
)


def test_items_are_found_in_order_with_their_place():
    items = list(iter_items(document_of(REQUIREMENTS)))
    assert [i.id for i in items] == ["FR-001", "FR-002", "FR-003", "NFR-001", "NFR-002", "DR-001"]
    assert (items[1].prefix, items[1].list_name) == ("FR", "functional_requirements")
    assert items[1].path == "$.functional_requirements[1]"


def test_items_are_found_in_nested_lists():
    document = {"groups": [{"name": "x", "rules": [{"id": "RUL-001"}, {"id": 7}, "no"]}]}
    assert [(i.id, i.path, i.list_name) for i in iter_items(document)] == [("RUL-001", "$.groups[0].rules[0]", "rules")]


def test_text_of_an_item_is_its_own():
    value = {
        "id": "FR-001",
        "title": "t",
        "criteria": ["one", "two"],
        "detail": {"why": "because"},
        "parts": [{"id": "P-001", "text": "of another item"}, {"text": "of this item"}],
        "sources": [{"ref": "B-1", "quote": "not its own"}],
        "count": 3,
    }
    assert item_text(value) == ("t", "one", "two", "because", "of this item")


def test_malformed_sources_are_left_out():
    value = {"sources": [{"ref": "B-1", "quote": "a"}, {"ref": 1, "quote": "b"}, "x", {"ref": "B-2"}]}
    assert item_sources(value) == (("B-1", "a"),)
    assert item_sources({"sources": "B-1"}) == ()


def test_ids_are_taken_apart():
    assert (id_prefix("FR-012"), id_number("FR-012")) == ("FR", 12)
    assert [(id_prefix(i), id_number(i)) for i in ("fr-1", "FR-", "FR-1\n", "", "FR12")] == [("", 0)] * 5


def test_depth_is_measured_without_recursion():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert is_too_deep(deep)
    assert not is_too_deep(document_of(REQUIREMENTS))


@given(st.dictionaries(st.sampled_from(["items", "id", "sources"]), JSON, max_size=3))
def test_any_json_can_be_walked(document):
    for item in iter_items(document):
        assert isinstance(item.id, str)
        item_text(item.value)
        item_sources(item.value)
    assert next(iter(iter_objects(document)))[0] == "$"

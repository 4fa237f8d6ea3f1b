from hypothesis import given
from hypothesis import strategies as st

from combine.documents.diff import FieldChange, diff_briefs, diff_documents
from combine.documents.ordering import canonical_json, content_sha256
from combine.documents.schema_walk import in_schema_order

OLD = {
    "overview": {"summary": "Small.", "style": "monolith", "key_decisions": ["one"]},
    "components": [
        {"id": "CMP-001", "name": "Web", "interfaces": ["http"], "limits": {"users": 5}},
        {"id": "CMP-002", "name": "Mail"},
    ],
    "technology_stack": [{"area": "db", "choice": "x"}],
    "notes": "gone soon",
}
NEW = {
    "components": [
        {"id": "CMP-003", "name": "Search"},
        {"id": "CMP-001", "name": "Website", "interfaces": ["http", "ws"], "limits": {"users": 9}, "extra": True},
    ],
    "overview": {"style": "monolith", "summary": "Larger.", "key_decisions": ["one", "two"]},
    "technology_stack": [{"choice": "x", "area": "db"}],
    "assumptions": [{"id": "ASM-001", "text": "t"}],
}


def test_items_are_compared_by_id_and_the_rest_by_field():
    diff = diff_documents(OLD, NEW)
    assert [(item.id, item.list_name) for item in diff.added] == [("CMP-003", "components"), ("ASM-001", "assumptions")]
    assert [item.id for item in diff.removed] == ["CMP-002"]
    (change,) = diff.changed
    assert change.id == "CMP-001"
    assert change.fields == (
        FieldChange("name", "Web", "Website"),
        FieldChange("interfaces", ["http"], ["http", "ws"]),
        FieldChange("limits.users", 5, 9),
        FieldChange("extra", None, True),
    )
    assert diff.fields == (
        FieldChange("$.overview.summary", "Small.", "Larger."),
        FieldChange("$.overview.key_decisions", ["one"], ["one", "two"]),
        FieldChange("$.notes", "gone soon", None),
    )
    assert not diff.is_empty


def test_moving_an_item_or_a_key_is_no_difference():
    old = {"a": [{"id": "A-1", "x": 1, "y": 2}, {"id": "A-2"}], "b": []}
    new = {"a": [{"id": "A-2"}, {"y": 2, "id": "A-1", "x": 1}]}
    assert diff_documents(old, new).is_empty


def test_true_is_not_one():
    (change,) = diff_documents({"a": [1]}, {"a": [True]}).fields
    assert change == FieldChange("$.a", [1], [True])


ITEM = st.fixed_dictionaries({"id": st.sampled_from(["A-1", "A-2", "A-3"]), "text": st.text(max_size=2)})
DOCUMENT = st.fixed_dictionaries(
    {"items": st.lists(ITEM, unique_by=lambda item: item["id"]), "title": st.text(max_size=1)}
)


@given(DOCUMENT, DOCUMENT)
def test_the_diff_is_empty_only_for_equals_and_turns_around(old, new):
    diff, back = diff_documents(old, new), diff_documents(new, old)
    same = old["title"] == new["title"] and {i["id"]: i for i in old["items"]} == {i["id"]: i for i in new["items"]}
    assert diff.is_empty == same
    assert (diff.added, diff.removed) == (back.removed, back.added)
    assert {c.id for c in diff.changed} == {c.id for c in back.changed}
    assert diff_documents(old, old).is_empty


SCHEMA = {
    "properties": {
        "title": {"type": "string"},
        "list": {"type": "array", "items": {"$ref": "#/$defs/item"}},
        "note": {"type": "string"},
    },
    "$defs": {"item": {"properties": {"id": {}, "sources": {}, "description": {}}}},
}


def test_keys_come_back_in_the_schemas_order():
    stored = {"zeta": 1, "note": "n", "list": [{"description": "d", "extra": 0, "id": "A-1"}], "alpha": 2, "title": "t"}
    ordered = in_schema_order(stored, SCHEMA)
    assert ordered == stored
    assert list(ordered) == ["title", "list", "note", "alpha", "zeta"]
    assert list(ordered["list"][0]) == ["id", "description", "extra"]


JSON_VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=3), JSON_VALUE, max_size=4))
def test_the_hash_does_not_see_the_order_of_keys(content):
    turned = dict(reversed(content.items()))
    assert canonical_json(turned) == canonical_json(content)
    assert content_sha256(turned) == content_sha256(content)
    assert content_sha256({"more": content}) != content_sha256(content)


def test_canonical_json_keeps_letters_and_has_no_spaces():
    assert canonical_json({"b": ["ü", 1], "a": None}) == '{"a":null,"b":["ü",1]}'


def test_a_citation_of_a_sentence_that_only_moved_is_no_change():
    def item(ref):
        return {"list": [{"id": "FR-001", "text": "same", "sources": [{"ref": ref, "quote": "the very words"}]}]}

    assert diff_documents(item("B-4"), item("B-5")).is_empty
    assert not diff_documents(item("B-4"), item("OBJ-001")).is_empty
    assert not diff_documents(item("OBJ-001"), item("OBJ-002")).is_empty


def test_briefs_are_compared_by_their_words():
    def brief(*texts):
        return {"sentences": [{"id": f"B-{n}", "text": text} for n, text in enumerate(texts, 1)]}

    diff = diff_briefs(brief("One.", "Two.", "Two."), brief("Zero.", "One.", "Two."))
    assert [(item.id, item.value["text"]) for item in diff.added] == [("B-1", "Zero.")]
    assert [(item.id, item.value["text"]) for item in diff.removed] == [("B-3", "Two.")]
    assert diff.changed == diff.fields == ()

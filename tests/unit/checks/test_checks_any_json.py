"""Checks never raise, whatever a model returns."""

import copy

import pytest
from bakery_set import TYPES, check, context_of, document_of, schema_of
from hypothesis import given, settings
from hypothesis import strategies as st

from combine.checks import check_document, next_ids, unused_sentences
from combine.workflows.provider_schema import drop_empty_optionals

KEYS = [
    "id",
    "sources",
    "ref",
    "quote",
    "findings",
    "document",
    "item",
    "depends_on",
    "satisfies",
    "components",
    "priority",
]
VALUES = ["", "FR-001", "B-1", "OBJ-001", "must", "critical", "approved", "\x00", "\ud800", "x y z"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(VALUES) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
CONTEXTS = {t: context_of(t) for t in TYPES}
DOCUMENTS = {t: document_of(t) for t in TYPES}


def places(value):
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


@given(st.sampled_from(TYPES), JSON)
@settings(max_examples=200)
def test_any_json_is_checked(document_type, document):
    result = check_document(document, CONTEXTS[document_type])
    assert result.findings


@given(st.sampled_from(TYPES), st.data())
@settings(max_examples=200)
def test_the_worked_set_with_any_value_anywhere_is_checked(document_type, data):
    document = copy.deepcopy(DOCUMENTS[document_type])
    spots = list(places(document))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = spots[data.draw(st.integers(0, len(spots) - 1))]
        holder[key] = data.draw(JSON)
    check_document(drop_empty_optionals(document, schema_of(document_type)), CONTEXTS[document_type])
    check_document(document, CONTEXTS[document_type])


@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4))
def test_any_upstream_document_and_draft_can_be_read(document):
    context = context_of("strategy-review", upstream=dict.fromkeys(TYPES, document), draft=document)
    check_document(DOCUMENTS["strategy-review"], context)
    next_ids(context.schema, [document])
    unused_sentences(context.brief, [document])


@pytest.mark.parametrize("document_type", TYPES)
def test_a_document_nested_without_end_is_one_finding(document_type):
    deep = {}
    for _ in range(50_000):
        deep = {"a": deep}
    result = check(document_type, lambda _: deep)
    assert [f.code for f in result.findings] == ["schema"]


@pytest.mark.parametrize("document", [None, [], "text", 3, [{"id": "FR-001"}]])
def test_what_is_no_object_is_one_finding(document):
    result = check_document(document, CONTEXTS["requirements-doc"])
    assert [(f.code, f.path) for f in result.findings] == [("schema", "$")]

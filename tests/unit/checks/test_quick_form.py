"""The quick answer about a document's form says yes only where JSON Schema would."""

import copy

import pytest
from bakery_set import TYPES, document_of, schema_of
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from combine.checks.quick_form import surely_fits

SCHEMAS = {t: schema_of(t) for t in TYPES}
DOCUMENTS = {t: document_of(t) for t in TYPES}
SCALAR = st.none() | st.booleans() | st.sampled_from([0, 1.0, "", " ", "must", "FR-001", "FR-01", "x"])
VALUE = SCALAR | st.lists(SCALAR, max_size=2) | st.dictionaries(st.sampled_from(["id", "ref", "a"]), SCALAR, max_size=2)


def spots(value):
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from spots(value[key])


@pytest.mark.parametrize("document_type", TYPES)
def test_the_worked_set_needs_no_second_look(document_type):
    assert surely_fits(DOCUMENTS[document_type], SCHEMAS[document_type])


@given(st.sampled_from(TYPES), st.data())
@settings(max_examples=300)
def test_it_agrees_with_json_schema_about_the_shipped_types(document_type, data):
    document = copy.deepcopy(DOCUMENTS[document_type])
    found = list(spots(document))
    holder, key = found[data.draw(st.integers(0, len(found) - 1))]
    if data.draw(st.booleans()):
        holder[key] = data.draw(VALUE)
    else:
        del holder[key]
    schema = SCHEMAS[document_type]
    assert surely_fits(document, schema) == Draft202012Validator(schema).is_valid(document)


NODE = st.recursive(
    st.sampled_from(
        [
            True,
            {},
            {"type": "string", "minLength": 1, "maxLength": 2},
            {"type": ["integer", "null"]},
            {"type": ["boolean", "integer"]},
            {"type": "number"},
            {"pattern": "^[a-m]"},
            {"enum": ["must", ""]},
            {"enum": [1, True]},
            {"minimum": 1},
            {"not": {"type": "string"}},
            {"$ref": "#/$defs/one"},
            {"$ref": "#/$defs/circle", "description": "d"},
            {"$ref": "#/$defs/none"},
            {"$ref": "#"},
        ]
    ),
    lambda inner: st.one_of(
        st.builds(lambda part, n: {"items": part, "minItems": n, "maxItems": n + 1}, inner, st.integers(0, 1)),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=2)),
        st.builds(
            lambda parts, more: {
                "type": "object",
                "properties": parts,
                "additionalProperties": more,
                "required": ["id"],
            },
            st.dictionaries(st.sampled_from(["id", "a"]), inner, max_size=2),
            st.booleans() | inner,
        ),
        st.builds(lambda part: {"allOf": [part]}, inner),
    ),
    max_leaves=5,
)
DEFINITIONS = {
    "one": {"type": "array", "items": {"type": "string"}},
    "circle": {"properties": {"id": {"$ref": "#/$defs/circle"}}, "type": ["object", "null"]},
    "none": {"type": "null"},
}


@given(NODE, VALUE)
@settings(max_examples=300)
def test_it_never_says_yes_where_json_schema_says_no(node, value):
    schema = {"$defs": DEFINITIONS, **(node if isinstance(node, dict) else {})}
    if surely_fits(value, schema):
        assert Draft202012Validator(schema).is_valid(value)

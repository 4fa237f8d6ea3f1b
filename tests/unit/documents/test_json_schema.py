"""Errors of JSON Schema: all of them, in the schema's order, with nothing fetched, whatever the value is."""

import copy
import math
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from bakery_set import TYPES, document_of, schema_of
from hypothesis import given, settings
from hypothesis import strategies as st

from combine.documents.json_schema import CompiledSchema, compiled
from combine.errors import Invalid
from combine.workflows.schema_validity import schema_faults

SCHEMAS = {t: schema_of(t) for t in TYPES}
DOCUMENTS = {t: document_of(t) for t in TYPES}
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=3)
VALUE = st.recursive(
    SCALAR,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "1", "", "\ud800"]), inner, max_size=2)
        | st.dictionaries(st.integers(0, 2), inner, max_size=2)
        | st.tuples(inner, st.dates() | st.binary(max_size=2))
    ),
    max_leaves=6,
)


def found(schema, value):
    return [(error.json_path, error.keyword, error.wanted) for error in CompiledSchema(schema).errors(value)]


def fits(schema, value):
    return not found(schema, value)


@pytest.mark.parametrize("document_type", TYPES)
def test_the_worked_set_fits(document_type):
    assert compiled(SCHEMAS[document_type]).errors(DOCUMENTS[document_type]) == []


def test_a_schema_is_compiled_once():
    schema = {"type": "object"}
    assert compiled(schema) is compiled(schema)
    assert compiled(schema) is not compiled(dict(schema))


def spots(value):
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from spots(value[key])


@given(st.sampled_from(TYPES), st.lists(st.tuples(st.integers(0, 10_000), VALUE), min_size=1, max_size=3))
@settings(max_examples=200)
def test_every_error_names_a_place_and_a_rule_whatever_the_value_is(document_type, changes):
    document = copy.deepcopy(DOCUMENTS[document_type])
    for number, value in changes:
        places = list(spots(document))
        holder, key = places[number % len(places)]
        holder[key] = value
    for error in compiled(SCHEMAS[document_type]).errors(document):
        assert error.keyword in {"type", "required", "additionalProperties", "pattern", "minItems", "minLength", "enum"}
        assert error.wanted is not None
        assert error.message
        assert error.json_path.startswith("$")


@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
def test_nothing_is_fetched(tmp_path, keyword):
    file = tmp_path / "other.json"
    file.write_text("{}", encoding="utf-8")
    for address in ("https://example.com/x.json", "http://127.0.0.1:1/x.json", file.as_uri(), str(file), "other.json"):
        schema = {"type": "object", "properties": {"a": {keyword: address}}}
        with pytest.raises(Invalid) as refused:
            CompiledSchema(schema)
        assert refused.value.code == "invalid_schema"
        assert {fault.code for fault in schema_faults(schema)} == {"invalid_schema"}


def test_the_id_of_a_schema_is_no_address():
    schema = {"$id": "our schema", "$ref": "#/$defs/a", "$defs": {"a": {"$id": "http://localhost/", "type": "null"}}}
    assert found(schema, 1) == [("$", "type", "null")]


def test_a_reference_may_name_a_part_in_any_script():
    schema = {"items": {"$ref": "#/$defs/größe in %"}, "$defs": {"größe in %": {"type": "string"}}}
    assert found(schema, ["a", 1]) == [("$[1]", "type", "string")]


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (r"^\w+$", "Größe", True),
        (r"^a$", "a\n", True),
        (r"^a\Z", "a\n", False),
        (r"(?P<x>a)(?P=x)", "aa", True),
        (r"\S", "\u00a0", False),
        (r"^\d$", "\u0663", True),
    ],
)
def test_a_pattern_is_one_of_python(pattern, text, matches):
    schema = {"properties": {"pattern": {"pattern": pattern}}, "propertyNames": {"pattern": "^p"}}
    assert found(schema, {"pattern": text}) == ([] if matches else [("$.pattern", "pattern", pattern)])
    assert fits(schema, {"pattern": 1})


def test_a_format_says_nothing():
    assert fits({"format": "date", "pattern": "^x"}, "x")
    assert fits({"format": "uri"}, "no address")


@pytest.mark.parametrize(
    ("value", "is_integer"),
    [(1, True), (1.0, True), (2**70, True), (-(10**400), True), (1e300, True), (1.5, False), (True, False)],
)
def test_what_an_integer_is(value, is_integer):
    assert fits({"type": "integer"}, value) is is_integer


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_a_number_does_not_fit(value):
    assert not fits({"type": "number"}, value)


def test_large_and_exact_numbers_are_compared_exactly():
    assert found({"maximum": 2**64}, 2**64 + 1) == [("$", "maximum", 2**64)]
    assert fits({"type": "number", "minimum": 0.1}, Decimal("0.1"))


def test_half_characters_count_as_characters():
    schema = {"properties": {"a": {"maxLength": 1}}, "additionalProperties": False}
    assert found(schema, {"a": "\ud800"}) == []
    assert found(schema, {"a": "x\ud800"}) == [("$.a", "maxLength", 1)]
    assert found(schema, {"\ud800": 1}) == [("$", "additionalProperties", False)]


def test_errors_of_one_place_come_in_the_order_of_the_schema():
    schema = {
        "$defs": {"b": {"maxLength": 1, "pattern": "^z", "minLength": 9}, "a": {"enum": ["q"]}},
        "allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}],
        "type": "integer",
    }
    assert [keyword for _, keyword, _ in found(schema, "abc")] == ["enum", "maxLength", "pattern", "minLength", "type"]


def test_names_that_look_like_positions_and_names_that_are_no_plain_words():
    schema = {"properties": {"1": {"items": {"type": "string"}}, "a b": {"type": "null"}}}
    assert found(schema, {"1": [0], "a b": 1})[1] == ("$['a b']", "type", "null")
    assert found(schema, {"1": [0]})[0] == ("$['1'][0]", "type", "string")


def test_a_field_that_is_never_allowed():
    assert found({"properties": {"type": False}}, {"type": 1}) == [("$.type", "", False)]


def test_a_closed_object_that_requires_what_it_does_not_know_reports_no_field_that_is_there():
    schema = {"type": "object", "properties": {"a": True}, "additionalProperties": False, "required": ["b"]}
    assert found(schema, {"b": 1}) == [("$", "additionalProperties", False)]


@pytest.mark.parametrize(
    ("choices", "value", "expected"),
    [
        ([{"type": "null"}, {"required": ["b"], "type": "object"}], {}, ("$", "type")),
        ([{"type": "null"}, {"properties": {"b": {"type": "null"}}}], {"b": 1}, ("$", "type")),
        ([{"properties": {"b": {"type": "null"}}}], {"b": 1}, ("$.b", "type")),
        ([{"anyOf": [{"const": 1}, {"items": {"type": "null"}}]}], [1], ("$[0]", "type")),
        ([{"anyOf": [{"type": "null"}, {"type": "string"}]}], 1, ("$", "anyOf")),
    ],
)
def test_a_union_says_what_is_most_likely_wrong(choices, value, expected):
    (error,) = CompiledSchema({"anyOf": choices}).errors(value)
    assert error.keyword == "anyOf"
    assert (error.sharpest.json_path, error.sharpest.keyword) == expected


def test_an_error_that_is_no_union_is_its_own_sharpest():
    (error,) = CompiledSchema({"oneOf": [{"type": "string"}, {"minLength": 1}]}).errors("a")
    assert error.sharpest is error
    (error,) = CompiledSchema({"type": "string"}).errors(1)
    assert error.sharpest is error


def test_a_large_document_and_one_as_deep_as_allowed():
    schema = {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"items": {"type": "string"}}}}
    deep = {}
    for _ in range(198):
        deep = {"a": deep}
    assert fits(schema, deep)
    assert len(found(schema, {"b": ["x" * 100, 1] * 20_000})) == 20_000


def test_a_schema_or_a_definition_that_is_nested_too_deep_is_a_fault():
    schema = {"type": "object"}
    for _ in range(5_000):
        schema = {"type": "object", "not": schema}
    assert [(f.code, f.path) for f in schema_faults(schema)] == [("invalid_schema", "$")]


def test_a_schema_that_the_library_does_not_take_is_a_fault():
    schema = {"type": "object", "patternProperties": {r"a\Z": {}}, "properties": {"a": {"type": "string"}}}
    assert [(f.code, f.path) for f in schema_faults(schema)] == [("invalid_schema", "$")]
    assert [f.code for f in schema_faults({"type": "object", "description": "\ud800"})] == ["invalid_schema"]


def test_threads_share_a_schema():
    schema = compiled(SCHEMAS[TYPES[0]])
    broken = DOCUMENTS[TYPES[0]] | {"extra": 1}
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(schema.errors, [DOCUMENTS[TYPES[0]], broken] * 200))
    assert [len(errors) for errors in results] == [0, 1] * 200

import copy

import anthropic
import jsonschema_rs
import pytest
from bakery_set import TYPES, document_of, schema_of

from combine.errors import Invalid
from combine.workflows.provider_schema import (
    MAX_UNIONS,
    count_unions,
    drop_empty_optionals,
    reply_schema,
)

EACH = pytest.mark.parametrize(("document_type", "ask"), [(t, ask) for t in TYPES for ask in (True, False)])
SENT_KEYWORDS = {
    "type",
    "description",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "minItems",
    "enum",
    "anyOf",
}


def parts(schema):
    yield schema
    for part in [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]:
        yield from parts(part)
    if "items" in schema:
        yield from parts(schema["items"])


def document_part(document, **more):
    schema = {"type": "object", "properties": {"field": document}, **more}
    return reply_schema(schema, ask=False)["properties"]["document"]["properties"]["field"]


@EACH
def test_sent_schema_is_within_the_limits_of_every_provider(document_type, ask):
    sent = reply_schema(schema_of(document_type), ask=ask)
    jsonschema_rs.meta.validate(sent)
    assert count_unions(sent) == int(ask) <= MAX_UNIONS
    for part in parts(sent):
        assert set(part) <= SENT_KEYWORDS
        assert not isinstance(part.get("type"), list)
        assert part.get("minItems", 1) == 1
        if part.get("type") == "object":
            assert part["additionalProperties"] is False
            assert part["required"] == list(part["properties"])


@EACH
def test_the_anthropic_sdk_has_nothing_left_to_change(document_type, ask):
    sent = reply_schema(schema_of(document_type), ask=ask)
    expected = copy.deepcopy(sent)
    for part in parts(expected):
        if "enum" in part:
            del part["type"]  # the SDK takes the type of an enum from its values
    assert anthropic.transform_schema(copy.deepcopy(sent)) == expected


@EACH
def test_property_order_is_kept(document_type, ask):
    schema = schema_of(document_type)
    document = reply_schema(schema, ask=ask)["properties"]["document"]
    document = document["anyOf"][0] if ask else document
    assert document["required"] == list(schema["properties"])


@EACH
def test_worked_example_fits_the_sent_schema_when_it_is_filled_up(document_type, ask):
    sent = reply_schema(schema_of(document_type), ask=ask)
    document = sent["properties"]["document"]
    document = document["anyOf"][0] if ask else document
    filled = fill(document_of(document_type), document)
    envelope = {"document": filled, "questions": []} if ask else {"document": filled}
    jsonschema_rs.validate(sent, envelope, offline=True)
    again = drop_empty_optionals(filled, schema_of(document_type))
    jsonschema_rs.validate(schema_of(document_type), again, offline=True)
    assert again == drop_empty_optionals(document_of(document_type), schema_of(document_type))


def fill(value, node):
    """The document as a model must return it: every property there, empty where there is nothing."""
    if isinstance(value, dict):
        empty = {"array": [], "string": ""}
        return {n: fill(value[n], p) if n in value else empty[p["type"]] for n, p in node["properties"].items()}
    return [fill(v, node["items"]) for v in value] if isinstance(value, list) else value


def test_limits_are_said_in_words():
    node = {"description": "A title.", "type": "string", "minLength": 1, "x-words": {"ask": 8, "reject": 14}}
    assert document_part(node, required=["field"]) == {"description": "A title. (at most 8 words)", "type": "string"}
    node = {"type": "array", "minItems": 2, "x-count": {"ask": [2, 4], "reject": 6}, "items": {"type": "string"}}
    assert document_part(node, required=["field"])["description"] == "2 to 4 entries"
    assert "minItems" not in document_part(node, required=["field"])
    node = {"type": "string", "pattern": "^(FR|NFR)-[0-9]{3}$"}
    assert document_part(node) == {"description": "form FR-001 or NFR-001; empty if there is none", "type": "string"}
    node = {"type": "integer", "minimum": 1, "maximum": 5}
    assert document_part(node, required=["field"])["description"] == "at least 1; at most 5"


SHAPES = {
    "list of types": ({"type": ["string", "null"]}, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    "one type in a list": ({"type": ["string"]}, {"type": "string"}),
    "const": ({"const": "x"}, {"type": "string", "enum": ["x"]}),
    "number const": ({"const": 3}, {"type": "integer", "enum": [3]}),
    "oneOf": ({"oneOf": [{"type": "string"}, {"type": "number"}]}, {"anyOf": [{"type": "string"}, {"type": "number"}]}),
    "allOf": (
        {"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}]},
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["a"],
            "properties": {"a": {"type": "string"}},
        },
    ),
    "no type": ({}, {"type": "string"}),
    "nullable reference": (
        {"anyOf": [{"$ref": "#/$defs/word"}, {"type": "null"}]},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
    ),
}


@pytest.mark.parametrize(("node", "sent"), SHAPES.values(), ids=SHAPES)
def test_shapes_of_a_users_schema_are_made_plain(node, sent):
    assert document_part(node, required=["field"], **{"$defs": {"word": {"type": "string"}}}) == sent


OPTIONAL = {
    "string": ({"type": "string"}, {"description": "empty if there is none", "type": "string"}),
    "enum": (
        {"type": "string", "enum": ["a"]},
        {"description": "empty if there is none", "type": "string", "enum": ["a", ""]},
    ),
    "number": (
        {"type": "number"},
        {"description": "null if there is none", "anyOf": [{"type": "number"}, {"type": "null"}]},
    ),
}


@pytest.mark.parametrize(("node", "sent"), OPTIONAL.values(), ids=OPTIONAL)
def test_optional_fields_may_be_empty(node, sent):
    assert document_part(node) == sent


def test_recursive_schema_is_refused():
    schema = {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#"}}},
    }
    with pytest.raises(Invalid) as caught:
        reply_schema(schema, ask=False)
    assert caught.value.code == "schema_unsupported"


def test_too_many_unions_are_refused():
    schema = {"type": "object", "properties": {f"n{i}": {"type": "number"} for i in range(MAX_UNIONS + 1)}}
    with pytest.raises(Invalid):
        reply_schema(schema, ask=False)


def test_empty_optionals_are_dropped_and_required_ones_stay():
    schema = {
        "type": "object",
        "required": ["must", "list"],
        "properties": {
            "must": {"type": "string"},
            "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
            "note": {"type": "string"},
            "none": {"type": "number"},
            "zero": {"type": "number"},
            "no": {"type": "boolean"},
            "inner": {"type": "object", "properties": {"a": {"type": "string"}}},
            "level": {"enum": ["needs_revision", "approved"]},
        },
    }
    given = {
        "must": "",
        "list": [{"a": ""}, {"a": "x"}],
        "note": " ",
        "none": None,
        "zero": 0,
        "no": False,
        "inner": {"a": ""},
        "level": "Needs Revision",
        "unknown": "",
    }
    assert drop_empty_optionals(given, schema) == {
        "must": "",
        "list": [{}, {"a": "x"}],
        "zero": 0,
        "no": False,
        "level": "needs_revision",
        "unknown": "",
    }

"""The schema remembers what a store forgets: which part describes a value, and the order of fields."""

from __future__ import annotations

import json

import pytest

from combine.documents.schema_walk import element, in_schema_order, properties, resolve

SOURCES = {"type": "array", "items": {"properties": {"ref": {}, "quote": {}}}}
ROOT = {
    "properties": {
        "title": {"type": "string"},
        "items": {"items": {"properties": {"id": {}, "sources": {"$ref": "#/$defs/sources"}, "text": {}}}},
        "maybe": {"anyOf": [{"properties": {"b": {}, "a": {}}}, {"type": "null"}]},
    },
    "$defs": {"sources": SOURCES, "circle": {"$ref": "#/$defs/circle"}, "a/b~c": {"type": "number"}},
}


@pytest.mark.parametrize(
    ("node", "found"),
    [
        ({"$ref": "#/$defs/sources"}, SOURCES),
        ({"$ref": "#/$defs/sources", "title": "Where from"}, SOURCES | {"title": "Where from"}),
        ({"$ref": "#/$defs/a~1b~0c"}, {"type": "number"}),
        ({"$ref": "#/$defs/none"}, {}),
        ({"$ref": "#/$defs/circle"}, {}),
        ({"oneOf": [{"type": "null"}, {"type": "string"}], "title": "T"}, {"type": "string", "title": "T"}),
        ({"anyOf": [{"type": "number"}, {"type": "string"}]}, {"anyOf": [{"type": "number"}, {"type": "string"}]}),
    ],
)
def test_the_part_that_really_describes_a_value(node, found):
    assert resolve(ROOT, node) == found


def test_parts_of_what_is_no_container_are_empty():
    assert properties(ROOT, {"type": "string"}) == {}
    assert element(ROOT, {"type": "array", "items": True}) == {}


def test_fields_follow_the_schema_and_unknown_ones_their_names():
    stored = {
        "zebra": 1,
        "maybe": {"a": 1, "b": 2},
        "items": [{"text": "x", "sources": [{"quote": "q", "ref": "B-1"}], "id": "FR-001"}],
        "apple": {"z": 1, "a": [True, None]},
        "title": "t",
    }
    assert json.dumps(in_schema_order(stored, ROOT)) == json.dumps(
        {
            "title": "t",
            "items": [{"id": "FR-001", "sources": [{"ref": "B-1", "quote": "q"}], "text": "x"}],
            "maybe": {"b": 2, "a": 1},
            "apple": {"a": [True, None], "z": 1},
            "zebra": 1,
        }
    )

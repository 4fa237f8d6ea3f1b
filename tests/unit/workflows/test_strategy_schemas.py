"""The four seed schemas: what the product promises about them."""

import json
import re

import pytest
from bakery_set import TYPES, brief, check, document_of, schema_of
from jsonschema_rs import meta

from combine.documents.items import iter_items

EACH_TYPE = pytest.mark.parametrize("document_type", TYPES)
IDS = {
    "project-discovery": ["OBJ", "STK", "CON", "RSK", "ASM"],
    "requirements-doc": ["FR", "NFR", "US", "DR", "IR", "ASM"],
    "architecture-doc": ["CMP", "ADR", "ASM"],
    "strategy-review": ["FND"],
}


def nodes(schema):
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


def properties(schema):
    for node in nodes(schema):
        if isinstance(node.get("properties"), dict) and node.get("type") == "object":
            yield from node["properties"].items()


@EACH_TYPE
def test_schema_is_valid_and_closed(document_type):
    schema = schema_of(document_type)
    meta.validate(schema)
    assert schema["title"]
    assert schema["$id"].endswith(document_type)
    for node in nodes(schema):
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert set(node["required"]) <= set(node["properties"])


@EACH_TYPE
def test_every_property_carries_one_line_of_prompt_text(document_type):
    for name, node in properties(schema_of(document_type)):
        if "$ref" in node:
            continue
        assert node["description"].endswith("."), name
        assert "\n" not in node["description"]
        assert len(node["description"].split()) <= 45, name


@EACH_TYPE
def test_enums_are_lower_case_english(document_type):
    for node in nodes(schema_of(document_type)):
        for value in node.get("enum", ()):
            assert re.fullmatch(r"[a-z_]+", value)


@EACH_TYPE
def test_ids_have_their_prefix(document_type):
    patterns = [
        n["id"]["pattern"] for n in (x.get("properties", {}) for x in nodes(schema_of(document_type))) if "id" in n
    ]
    assert patterns == [f"^{prefix}-[0-9]{{3}}$" for prefix in IDS[document_type]]


@EACH_TYPE
def test_sizes_ask_for_less_than_they_reject(document_type):
    for node in nodes(schema_of(document_type)):
        if "x-words" in node:
            assert 0 < node["x-words"]["ask"] < node["x-words"]["reject"]
        if "x-count" in node:
            low, high = node["x-count"]["ask"]
            assert low <= high < node["x-count"]["reject"]


@EACH_TYPE
def test_sources_stand_before_the_claim(document_type):
    for node in nodes(schema_of(document_type)):
        names = list(node.get("properties", ()))
        if "sources" in names and "id" in names:
            assert names[:2] == ["id", "sources"]


def test_review_finds_before_it_judges():
    names = list(schema_of("strategy-review")["properties"])
    assert names.index("findings") < names.index("overall_assessment") < names.index("recommendation")


@EACH_TYPE
def test_worked_example_passes_every_check(document_type):
    result = check(document_type)
    assert result.findings == ()
    assert result.hints == ()
    assert result.unused_sentences == ()


def test_worked_example_is_the_whole_set():
    assert [s.id for s in brief().sentences] == [f"B-{n}" for n in range(1, 7)]
    assert all(list(iter_items(document_of(t))) for t in TYPES)
    assert "cake" in json.dumps([document_of(t) for t in TYPES])
    assert not any(re.search(r"\b(cake|bakery)\b", json.dumps(schema_of(t))) for t in TYPES), "examples would leak"

"""The OpenAPI document: it is served, valid, and matches what is really sent."""

from __future__ import annotations

import json
from collections import Counter

import jsonschema_rs
import pytest
from api_server import api_server, new_database

from combine.api.application import operations
from combine.main import create_app
from combine.settings import Settings

SAFE = {"GET", "HEAD"}


@pytest.fixture(scope="module")
def client(shared_server_url):
    with new_database(shared_server_url) as url, api_server(url) as server, server.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def document():
    return create_app(Settings()).openapi()


def test_the_document_is_served_as_generated(client, document):
    found = client.get("/api/v1/openapi.json")
    assert (found.status_code, found.headers["content-type"]) == (200, "application/json")
    assert found.json() == json.loads(json.dumps(document))


def test_a_client_that_has_the_document_gets_a_304(client):
    first = client.get("/api/v1/openapi.json")
    again = client.get("/api/v1/openapi.json", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


def test_every_route_has_a_name_of_its_own_and_says_what_it_does(document):
    found = [operation for _, operation in operations(document)]
    assert [name for name, times in Counter(one["operationId"] for one in found).items() if times > 1] == []
    assert [one["operationId"] for one in found if not one.get("description") or not one.get("tags")] == []


def test_fields_of_answers_are_described_by_their_docstrings(document):
    schemas = document["components"]["schemas"]
    described = {name: schemas["ExecutionView"]["properties"][name].get("description") for name in ("id", "budget_usd")}
    assert described["id"] is None
    assert "`null`" in described["budget_usd"]
    assert "None" not in json.dumps([one.get("properties", {}) for one in schemas.values()])


def test_what_changes_something_may_be_refused_to_pages_of_other_sites(document):
    unsafe = {name: one for name, one in operations(document) if name.split(" ")[0] not in SAFE}
    assert [name for name, one in unsafe.items() if "403" not in one["responses"]] == []


def test_every_error_has_the_one_shape(document):
    shapes = {
        json.dumps(_whole(document, response).get("content"), sort_keys=True)
        for _, operation in operations(document)
        for status, response in operation["responses"].items()
        if status >= "400"
    }
    assert shapes == {'{"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}'}


def test_every_answer_carries_the_id_of_its_request(document):
    missing = [
        (name, status)
        for name, operation in operations(document)
        for status, response in operation["responses"].items()
        if "X-Request-ID" not in _whole(document, response)["headers"]
    ]
    assert missing == []


def test_it_matches_the_openapi_schemas(document):
    registry = jsonschema_rs.Registry([("urn:api", document)])
    for name in document["components"]["schemas"]:
        schema = {"$ref": f"urn:api#/components/schemas/{name}"}
        jsonschema_rs.meta.validate(document["components"]["schemas"][name])
        jsonschema_rs.Draft202012Validator(schema, registry=registry, offline=True)  # every $ref resolves


def test_nothing_in_a_query_or_a_header_can_be_null(document):
    parameters = [one for _, operation in operations(document) for one in operation.get("parameters", ())]
    assert [one["name"] for one in parameters if {"type": "null"} in one["schema"].get("anyOf", ())] == []


def _whole(document, response):
    name = response.get("$ref", "").rpartition("/")[2]
    return document["components"]["responses"][name] if name else response

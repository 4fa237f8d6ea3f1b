"""The schemas of the shipped documents are accepted as they are sent; the fake refuses what the real ones refuse."""

import json
from dataclasses import replace

import fake_llm_rules
import pytest

from combine.workflows.catalog import load_catalog
from combine.workflows.provider_schema import reply_schema

TYPES = ("project-discovery", "requirements-doc", "architecture-doc", "strategy-review")


@pytest.fixture(scope="module")
def catalog():
    return load_catalog(None)


@pytest.mark.parametrize("name", ["anthropic", "openai"])
@pytest.mark.parametrize("ask", [True, False])
@pytest.mark.parametrize("document_type", TYPES)
async def test_a_shipped_schema_is_accepted(catalog, fake, provider_of, request_, *, name, ask, document_type):
    schema = reply_schema(catalog.schema(document_type).schema, ask=ask)
    reply = await provider_of(name).complete(replace(request_, schema=schema, schema_name=document_type))
    assert set(json.loads(reply.text)) == ({"questions", "document"} if ask else {"document"})
    assert list(fake_llm_rules.schema_faults(name, fake.requests[0].schema)) == []

import json
from datetime import UTC, datetime
from uuid import UUID

from combine.documents.statuses import DocumentStatus
from combine.records import Document
from combine.storage.key_order import in_order
from combine.workflows.catalog import load_catalog

CATALOG = load_catalog(None)
CONTENT = {"review_type": 1, "b": {"d": 1, "c": 2}, "overall_assessment": {"status": 1}}


def document(type_, *, ordered):
    return Document(
        id=UUID(int=1),
        project_id=UUID(int=2),
        type=type_,
        version=1,
        status=DocumentStatus.ACTIVE,
        origin="model",
        created_at=datetime(2026, 11, 30, tzinfo=UTC),
        content_sha256="",
        content=CONTENT,
        ordered=ordered,
    )


def keys(type_, *, ordered):
    return json.dumps(in_order(document(type_, ordered=ordered), CATALOG).content)


def test_stored_order_stays():
    assert keys("strategy-review", ordered=True) == json.dumps(CONTENT)


def test_without_one_keys_follow_the_schema_and_then_their_names():
    assert list(json.loads(keys("strategy-review", ordered=False))) == ["overall_assessment", "b", "review_type"]


def test_without_a_schema_keys_follow_their_names():
    assert keys("a-type-that-is-gone", ordered=False) == json.dumps(CONTENT, sort_keys=True)

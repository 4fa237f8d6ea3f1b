import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from combine import errors as tree
from combine.api import errors
from combine.documents.statuses import ExecutionStatus

STATUSES = {
    tree.Invalid: 422,
    tree.DefinitionInvalid: 422,
    tree.NotFound: 404,
    tree.Conflict: 409,
    tree.NotSignedIn: 401,
    tree.NotPermitted: 403,
    tree.Unavailable: 503,
    tree.DatabaseUnavailable: 503,
    tree.TransientLLMError: 503,
    tree.PermanentLLMError: 422,
    tree.LLMError: 500,
    tree.OwnershipLost: 500,
    tree.CombineError: 500,
}


def test_the_status_of_each_family():
    whole_tree = [one for one in vars(tree).values() if isinstance(one, type) and issubclass(one, tree.CombineError)]
    assert {one: errors.status_of(one()) for one in whole_tree} == STATUSES


@dataclass
class Usage:
    tokens: int


def test_only_json_values_of_details_are_public():
    details = {
        "usd": Decimal("1.50"),
        "id": UUID(int=1),
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "status": ExecutionStatus.FAILED,
        "usage": Usage(3),
        "error": ValueError("secret"),
        "raw": b"bytes",
        "list": [1, Usage(1), {"a": None, "b": Usage(2)}],
        "odd": float("nan"),
        "half": 0.5,
        "yes": True,
    }
    assert json.loads(errors.error_bytes("code", "Words.", details, "r1")) == {
        "error": {
            "code": "code",
            "message": "Words.",
            "details": {
                "usd": "1.500000",
                "id": str(UUID(int=1)),
                "at": "2026-01-01T00:00:00+00:00",
                "status": "failed",
                "list": [1, {"a": None}],
                "odd": "nan",
                "half": 0.5,
                "yes": True,
            },
            "request_id": "r1",
        }
    }


def test_a_lone_surrogate_does_not_break_an_error():
    assert b"?" in errors.error_bytes("code", "\ud800", {}, "r1")


def test_errors_of_a_route_are_documented_in_one_shape():
    assert errors.responses(404) == {404: {"model": errors.ErrorBody, "description": "Not Found"}}

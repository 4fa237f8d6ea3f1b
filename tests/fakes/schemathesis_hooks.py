"""Hooks and checks of our own for schemathesis; loaded by the process that runs it."""

from __future__ import annotations

import json

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.generation import GenerationMode

BEYOND_A_SCHEMA = frozenset(
    {
        "answer_unknown",  # which questions are open
        "answer_unusable",
        "brief_binary",
        "brief_empty",
        "brief_too_large",  # counted in bytes
        "budget_invalid",
        "cost_invalid",
        "cursor_invalid",
        "email_invalid",
        "id_short",  # of a document: it could be a type
        "model_malformed",
        "model_unknown",
        "price_unknown",
        "project_name_invalid",
        "reason_missing",
        "token_name_invalid",
    }
)
"""Codes of errors that no schema can express. Any other error for a valid request is an error of the schema."""


@schemathesis.hook
def before_call(_ctx, case, _kwargs):
    """A dictionary may have added the ID of a project to a body that already has a project name."""
    body = case.body
    positive = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    if positive and isinstance(body, dict) and None not in (body.get("project_id"), body.get("project")):
        del body["project"]


def is_unstorable(error):
    """Whether a text has control characters. The schema does not exclude them from every string."""
    faults = error["details"].get("faults", ())
    return bool(faults) and all("control characters" in one["message"] for one in faults)


@schemathesis.check
def fits_means_fits(_ctx, response, case):
    """A request that matches the document is not refused for its format."""
    if response.status_code != 422 or case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    error = json.loads(response.text)["error"]
    if error["code"] not in BEYOND_A_SCHEMA and not is_unstorable(error):
        raise Failure(
            operation=case.operation.label,
            title="A request that fits the document is refused",
            message=f"{error['code']}: {error['details']}",
        )


@schemathesis.check
def errors_have_one_shape(_ctx, response, case):
    """Including errors that do not come from a route."""
    if response.status_code < 400:
        return
    error = json.loads(response.text)["error"]
    assert error.keys() == {"code", "message", "details", "request_id"}, response.text
    assert response.headers["x-request-id"] == [error["request_id"]], response.headers

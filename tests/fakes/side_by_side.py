"""The seed workflow with a step that is changed, and with two that run beside each other."""

from __future__ import annotations

import bakery

from combine.workflows.definitions import definition_from_json, definition_to_json


def with_step(catalog, number, **changes):
    """The catalog, with one step of the seed workflow changed."""
    raw = definition_to_json(catalog.workflow("strategy-document"))
    raw["steps"][number] |= changes
    workflow = definition_from_json(raw)

    class Changed(type(catalog)):
        def workflow(self, workflow_id):
            return workflow

    catalog.__class__ = Changed
    return catalog


def side_by_side(catalog):
    """The seed workflow with a review that does not read the architecture, so that both run at once."""
    return with_step(catalog, 3, inputs=["project-discovery", "requirements-doc"])


def review_without_architecture(**changes):
    """What the review says there; with ``rejecting`` it sends back."""
    review = bakery.rejecting_review() if changes.pop("rejecting", False) else bakery.document("strategy-review")
    reviews = review["document_reviews"]
    review["document_reviews"] = [one for one in reviews if one["document_type"] != "architecture-doc"]
    return bakery.reply(review)

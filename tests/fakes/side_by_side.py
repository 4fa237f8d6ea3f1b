"""The seed workflow with two steps that run beside each other."""

from __future__ import annotations

import bakery

from combine.workflows.definition_json import definition_from_json, definition_to_json


def side_by_side(catalog):
    """The seed workflow with a review that does not read the architecture, so that both run at once."""
    raw = definition_to_json(catalog.workflow("strategy-document"))
    raw["steps"][3]["inputs"] = ["project-discovery", "requirements-doc"]
    workflow = definition_from_json(raw)

    class SideBySide(type(catalog)):
        def workflow(self, workflow_id):
            return workflow

    catalog.__class__ = SideBySide
    return catalog


def review_without_architecture(**changes):
    """What the review says there; with ``rejecting`` it sends back."""
    review = bakery.rejecting_review() if changes.pop("rejecting", False) else bakery.document("strategy-review")
    reviews = review["document_reviews"]
    review["document_reviews"] = [one for one in reviews if one["document_type"] != "architecture-doc"]
    return bakery.reply(review)

"""The bakery: a brief with its four documents that pass every check, to be bent by tests."""

import copy
import json
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parent.parent / "data" / "bakery"
TYPES = ("project-discovery", "requirements-doc", "architecture-doc", "strategy-review")
BRIEF = (_DATA / "brief.txt").read_text(encoding="utf-8")
QUESTION = {
    "text": "When a day is full, what should the customer see?",
    "why": "Decides whether orders move to another day or are lost.",
    "answer_type": "single_choice",
    "choices": ["Offer the next free day.", "A waiting list.", "Please call."],
    "default": "Offer the next free day.",
    "required": True,
}


def document(type_: str) -> dict[str, Any]:
    """A fresh copy of one document."""
    return copy.deepcopy(json.loads((_DATA / f"{type_}.json").read_text(encoding="utf-8")))


def reply(content: dict[str, Any]) -> str:
    """The envelope of a draft."""
    return json.dumps({"questions": [], "document": content}, ensure_ascii=False)


def questions(*asked: dict[str, Any]) -> str:
    """The envelope of questions."""
    return json.dumps({"questions": list(asked), "document": None})


def asking() -> str:
    """Discovery asks the question that the documents cite as Q-1."""
    return questions(QUESTION)


def script(**changes: list[Any]) -> dict[str, list[Any]]:
    """Replies by type: discovery asks once, then everything passes. ``changes`` by type with ``_`` for ``-``."""
    replies: dict[str, list[Any]] = {type_: [reply(document(type_))] for type_ in TYPES}
    replies["project-discovery"].insert(0, asking())
    return replies | {name.replace("_", "-"): outputs for name, outputs in changes.items()}


def unasked_requirements() -> dict[str, Any]:
    """The requirements of a chain in which nothing was asked, so that nothing cites ``Q-1``."""
    content = document("requirements-doc")
    for requirement in content["functional_requirements"]:
        requirement["sources"] = [source for source in requirement["sources"] if source["ref"] != "Q-1"]
    return content


def rejecting_review(document_type: str = "requirements-doc", item: str = "FR-003") -> dict[str, Any]:
    """A review that sends one document back."""
    review = document("strategy-review")
    review["findings"][0] |= {"severity": "critical", "document": document_type, "item": item}
    for one in review["document_reviews"]:
        if one["document_type"] == document_type:
            one["status"] = "needs_revision"
    review["overall_assessment"] |= {"status": "needs_revision"}
    review["recommendation"] |= {"action": "revise"}
    return review

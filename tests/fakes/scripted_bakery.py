"""Entries for the scripted provider: the bakery's documents, and questions before them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

BAKERY = Path(__file__).parents[1] / "data" / "bakery"
TYPES = ("project-discovery", "requirements-doc", "architecture-doc", "strategy-review")
QUESTIONS = [
    {
        "text": "When a day is full, what should the customer see?",
        "why": "It decides what the order page offers.",
        "answer_type": "single_choice",
        "choices": ["Offer the next free day.", "Say sorry and stop."],
        "default": "Offer the next free day.",
        "required": True,
    },
    {
        "text": "How many cakes may one customer order at once?",
        "why": "It decides how orders are counted.",
        "answer_type": "number",
        "choices": [],
        "default": "A customer may order up to 5 cakes at once.",
        "required": False,
    },
]


def document(document_type: str) -> dict[str, Any]:
    """The bakery's document of that type."""
    return json.loads((BAKERY / f"{document_type}.json").read_text(encoding="utf-8"))


def reply(document_type: str, **changes: Any) -> dict[str, Any]:
    """A script's entry that gives the bakery's document."""
    asks = {} if document_type == TYPES[-1] else {"questions": []}
    return {"json": {**asks, "document": document(document_type)}, **changes}


def asking(*questions: dict[str, Any]) -> dict[str, Any]:
    """A script's entry that asks until something has been answered."""
    return {"json": {"questions": list(questions), "document": None}, "when": {"lacks": ['"Q-1"']}}

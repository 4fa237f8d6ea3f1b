"""The worked bakery set: a brief, an answer and four documents that pass every rule."""

import copy
import json
from pathlib import Path

from combine.brief.reading import split_brief
from combine.checks import CheckContext, check_document
from combine.documents.questions import Answer

FOLDER = Path(__file__).parents[1] / "data" / "bakery"
SCHEMAS = Path(__file__).parents[2] / "combine" / "seed" / "schemas" / "strategy"
TYPES = ("project-discovery", "requirements-doc", "architecture-doc", "strategy-review")
DISCOVERY, REQUIREMENTS, ARCHITECTURE, REVIEW = TYPES


def schema_of(document_type):
    return json.loads((SCHEMAS / f"{document_type}.json").read_text(encoding="utf-8"))


def document_of(document_type):
    return json.loads((FOLDER / f"{document_type}.json").read_text(encoding="utf-8"))


def brief():
    return split_brief((FOLDER / "brief.txt").read_text(encoding="utf-8"))


def answers():
    return tuple(Answer(**a) for a in json.loads((FOLDER / "answers.json").read_text(encoding="utf-8")))


def context_of(document_type, **given):
    """What the step of that type knows in the set; anything may be replaced."""
    before = TYPES[: TYPES.index(document_type)]
    given.setdefault("upstream", {t: document_of(t) for t in before})
    given.setdefault("answers", answers())
    given.setdefault("brief", brief())
    given.setdefault("schema", schema_of(document_type))
    return CheckContext(document_type, **given)


def check(document_type, change=None, **given):
    """Check the set's document after ``change(document)``."""
    document = copy.deepcopy(document_of(document_type))
    if change:
        document = change(document) or document
    return check_document(document, context_of(document_type, **given))

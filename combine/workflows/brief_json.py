"""The brief as stored content (document type ``brief``) and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from combine.workflows.brief import Brief, Sentence, SentenceKind

BRIEF_TYPE = "brief"


def brief_to_json(brief: Brief) -> dict[str, Any]:
    """Text, language and sentences with their spans."""
    return {
        "text": brief.text,
        "language": brief.language,
        "sentences": [
            {"id": one.id, "text": one.text, "kind": one.kind, "start": one.start, "end": one.end}
            for one in brief.sentences
        ],
    }


def brief_from_json(content: Mapping[str, Any]) -> Brief:
    """The stored brief. Its sentences are never split anew: their numbers are cited."""
    return Brief(
        content["text"],
        content["language"],
        tuple(
            Sentence(value["id"], value["text"], SentenceKind(value["kind"]), value["start"], value["end"])
            for value in content["sentences"]
        ),
    )

"""A brief and its sentences, and both as stored content (document type ``brief``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

UNKNOWN_LANGUAGE = "und"
"""The code of ISO 639-2 for a language that was not recognised."""


class SentenceKind(StrEnum):
    """The kind of block a sentence is in."""

    PROSE = "prose"
    HEADING = "heading"
    LIST_ITEM = "list_item"
    TABLE_ROW = "table_row"
    CODE = "code"
    QUOTE = "quote"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One numbered sentence; ``brief.text[start:end] == text``."""

    id: str
    text: str
    kind: SentenceKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Brief:
    """The text as given and its sentences in order."""

    text: str
    language: str
    """ISO 639-1 code of the main language, e.g. ``de``, or ``UNKNOWN_LANGUAGE``."""
    sentences: tuple[Sentence, ...]


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
    """The stored brief. Its sentences are never split again, since documents cite their numbers."""
    return Brief(
        content["text"],
        content["language"],
        tuple(
            Sentence(value["id"], value["text"], SentenceKind(value["kind"]), value["start"], value["end"])
            for value in content["sentences"]
        ),
    )

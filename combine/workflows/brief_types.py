"""The shapes of a brief; ``brief.py`` is the door."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SentenceKind(StrEnum):
    """What part of the text a sentence stands in."""

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
    """ISO 639-1 code of the main language, e.g. ``de``."""
    sentences: tuple[Sentence, ...]

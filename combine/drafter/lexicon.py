"""The cue words of one language: regular expressions as text, compiled when a language is first used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from types import MappingProxyType

from combine.drafter.lexicon_de import GERMAN
from combine.drafter.lexicon_en import ENGLISH
from combine.drafter.words import Lexicon

MIN_COMMON_SHARE = 0.12
"""Share of a language's commonest words from which a text of unknown language is read with its cues."""


@dataclass(frozen=True, slots=True)
class Cues:
    """A lexicon ready to search with."""

    language: str
    words: Lexicon
    patterns: Mapping[str, re.Pattern[str]]
    qualities: Mapping[str, re.Pattern[str]]
    entities: Mapping[str, re.Pattern[str]]

    def has(self, name: str, text: str) -> bool:
        """Whether the pattern of that name occurs in the text."""
        return self.patterns[name].search(text) is not None

    def find(self, name: str, text: str) -> str:
        """What the pattern of that name matches first, or an empty text."""
        found = self.patterns[name].search(text)
        return found.group() if found else ""

    def quality(self, name: str, text: str) -> bool:
        """Whether the text speaks of that quality."""
        return self.qualities[name].search(text) is not None


def cues_for(language: str, text: str) -> tuple[Cues, bool]:
    """The cues to read a text with, and whether the rules know its language.

    They are those of its language, or of the one whose common words it uses, or English.
    """
    if language in ("en", "de"):
        return _compiled(language), True
    words = text.casefold().split()
    shares = {lex.language: sum(w in lex.common for w in words) / max(len(words), 1) for lex in (ENGLISH, GERMAN)}
    best = max(shares, key=lambda name: shares[name])
    known = shares[best] >= MIN_COMMON_SHARE
    return _compiled(best if known else "en"), known


@cache
def _compiled(language: str) -> Cues:
    words = GERMAN if language == "de" else ENGLISH
    patterns = {
        f.name: re.compile(value, re.IGNORECASE)
        for f in fields(words)
        if isinstance(value := getattr(words, f.name), str) and f.name != "language"
    }
    nouns = "|".join(words.people.values())
    patterns["anybody"] = re.compile(rf"(?<!\w)(?:{nouns})(?!\w)", re.IGNORECASE)
    article = r"(?:the |our |a |an |each |every |all |die |der |das |unsere |alle )?"
    patterns["person_first"] = re.compile(rf"{article}(?:(?:{words.modifiers}) )?(?:{nouns})(?!\w)", re.IGNORECASE)
    return Cues(
        words.language,
        words,
        MappingProxyType(patterns),
        MappingProxyType({name: re.compile(p, re.IGNORECASE) for name, p in words.qualities.items()}),
        MappingProxyType({name: re.compile(p, re.IGNORECASE) for name, p in words.entities.items()}),
    )

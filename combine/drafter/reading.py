"""The brief and the answers as statements, each with the signs the rules have found in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from combine.documents.quotes import contains_quote, fold, long_enough
from combine.documents.words import word_count
from combine.drafter.frames import Frames, frames_for
from combine.drafter.lexicon import Cues, cues_for
from combine.drafter.text import bare, clean, quote
from combine.prompts.builder import PromptSections

HEADING_WORDS = 8
"""A line without a stop at its end and with at most so many words may head what follows."""

MAX_READ = 1_500
"""Characters of one sentence that are read: the rules' time grows with the square of what has no end."""

_CODE = re.compile(
    r"^```|[{};]\s*$|^\s*(?:def|class|import|from|return|const|let|var|function|SELECT|INSERT)\b.*[(){};=]|=>|::"
)
_STOP = re.compile(r"[.!?;\u3002\u061f\uff01\uff1f]\W*$")
_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[A-ZÄÖÜ])|\n+")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")
"""Characters no document can hold; a quote stands between them."""
_RULE = re.compile(r"^[\W_]*$")


class Section(StrEnum):
    """What the heading above a statement says it is about."""

    NONE = "none"
    TODAY = "today"
    WANT = "want"
    LIMITS = "limits"
    OUT = "out"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of the brief or of an answer, and what it shows itself to be."""

    ref: str
    raw: str
    """The text that ``ref`` names, as far as it can be quoted."""
    text: str
    """Its words, without markup."""
    section: Section
    signs: frozenset[str]
    """Names of the lexicon's patterns that occur in it, and ``heading``, ``code``, ``empty``."""
    topic: str = ""
    """For an answer the question it settles."""
    assumption: str = ""
    """For an answer left to us the assumption that stands for it."""

    def is_a(self, *signs: str) -> bool:
        """Whether it shows one of the signs."""
        return not self.signs.isdisjoint(signs)

    def source(self, around: str = "") -> dict[str, str]:
        """A source that cites it, with the words around the given ones."""
        return {"ref": self.ref, "quote": quote(self.raw, around or self.text)}

    @property
    def usable(self) -> bool:
        """Whether an item may rest on it."""
        return not self.is_a("heading", "code", "empty", "addressed")


@dataclass(frozen=True)
class Reading:
    """Everything the prompt says, read with the cues of its language."""

    sections: PromptSections
    cues: Cues
    known: bool
    """Whether the rules know the brief's language; if not, they conclude nothing from what they do not find."""
    frames: Frames
    brief: tuple[Statement, ...]
    answers: tuple[Statement, ...]

    @cached_property
    def usable(self) -> tuple[Statement, ...]:
        """Statements that items may rest on, the answers last; never empty for a brief with a sentence."""
        found = tuple(s for s in (*self.brief, *self.answers) if s.usable)
        return found or tuple(s for s in self.brief if not s.is_a("addressed", "empty")) or self.brief[:1]

    def document(self, name: str) -> Mapping[str, Any]:
        """An upstream document; empty if the step has none."""
        return self.sections.documents.get(name, {})

    def statement(self, ref: str) -> Statement | None:
        """The statement of that id."""
        return next((s for s in (*self.brief, *self.answers) if s.ref == ref), None)


def read(sections: PromptSections) -> Reading:
    """The prompt's brief and answers as statements."""
    cues, known = cues_for(sections.language, " ".join(text for _, text in sections.sentences))
    frames = frames_for(cues.language)
    fixed = frozenset(fold(q.text) for q in frames.questions.values())
    return Reading(
        sections=sections,
        cues=cues,
        known=known,
        frames=frames,
        brief=tuple(_brief(sections, cues)),
        answers=tuple(s for a in sections.answers for s in _answer(a, cues, fixed)),
    )


def _brief(sections: PromptSections, cues: Cues) -> Iterator[Statement]:
    section = Section.NONE
    written = any(_STOP.search(text) for _, text in sections.sentences)
    for number, (ref, whole) in enumerate(sections.sentences):
        part = max(_CONTROL.split(whole), key=len)
        start = _beginning(part)
        raw, text = start if long_enough(start, whole) else part, clean(start)
        head = _heading(raw, text, cues, first=number == 0 and written)
        if head:
            section = _section(text, cues) if head == "section" else section
        signs = _signs(text, raw, cues) | ({"heading"} if head else set())
        if not long_enough(raw, whole):
            signs.add("empty")
        yield Statement(ref, raw, text, section, frozenset(signs))


def _beginning(text: str) -> str:
    """As much of a sentence as the rules read, whole words where there are any."""
    if len(text) <= MAX_READ:
        return text
    return " ".join(text[:MAX_READ].rsplit(maxsplit=1)[:1])


def _heading(raw: str, text: str, cues: Cues, *, first: bool) -> str:
    """``section`` or ``title`` if the line heads what follows, else nothing."""
    if raw.lstrip().startswith("#") and not _RULE.match(raw):
        return "section"
    words = word_count(text)
    if words <= HEADING_WORDS and text.endswith((":", "\uff1a")):
        return "section"
    if _STOP.search(text) or words > 2 * HEADING_WORDS:
        return ""
    asked = cues.has("head_start", text) or not cues.has("strong", text)
    if words <= HEADING_WORDS and asked and _section(text, cues) is not Section.NONE:
        return "title" if " | " in raw else "section"  # a column called "limit" does not make every line below one
    return "title" if first and words > 0 and not cues.has("need", text) else ""


def _section(text: str, cues: Cues) -> Section:
    for section in (Section.OUT, Section.PEOPLE, Section.LIMITS, Section.TODAY, Section.WANT):
        if cues.has(f"section_{section.value}", text):
            return section
    return Section.NONE


def _signs(text: str, raw: str, cues: Cues) -> set[str]:
    if _RULE.match(text):
        return {"empty"}
    signs = {name for name in cues.patterns if not name.startswith("section_") and cues.has(name, text)}
    return signs | ({"code"} if _CODE.search(raw.strip()) else set())


def _answer(given: Mapping[str, Any], cues: Cues, fixed: frozenset[str]) -> Iterator[Statement]:
    """The answer's sentences, each a statement; what settles a choice between two sentences stays whole."""
    answer, question = str(given["answer"]), str(given["question"])
    parts = [answer] if contains_quote(question, answer) else [p for p in _SENTENCES.split(answer.strip()) if p]
    for part in parts or [answer]:
        text = clean(_beginning(part))
        told = text if len(parts) > 1 or fold(question) in fixed else f"{bare(question)}: {text}"
        signs = frozenset(_signs(told, answer, cues) - {"opens", "empty", "code", "addressed"})
        yield Statement(
            str(given["id"]), answer, text, Section.NONE, signs, question, str(given.get("assumption") or "")
        )

"""Pairs of statements that cannot both hold, as far as rules can see, and which of the two stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from combine.documents.quotes import contains_quote, fold
from combine.drafter.lexicon import Cues
from combine.drafter.reading import Reading, Statement
from combine.drafter.text import bare, shorten

MAX_CONFLICTS = 6
MAX_COMPARED = 80
"""Statements compared with each other; pairs grow with the square."""
CHOICE_WORDS = 24

_STEM = re.compile(r"(?:ies|es|s|ed|ing|en|em|er|e|n)$")
_GENERIC = frozenset(("system", "application", "website", "software", "platform", "anwendung"))
_FIGURE = re.compile(r"\d[\d.,]*\d|\d|\b[a-zäöüß]+\b", re.IGNORECASE)
_SPAN = {
    "en": re.compile(
        r"(?P<n>\d+|two|three|four|five|six|seven|eight|nine|ten|twelve) (?P<u>minute|hour|day|week|month)s?\b",
        re.IGNORECASE,
    ),
    "de": re.compile(
        r"(?P<n>\d+|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|zwölf) (?P<u>Minute|Stunde|Tag|Woche|Monat)"
        r"(?:e?n|e)?\b",
        re.IGNORECASE,
    ),
}


class ConflictKind(StrEnum):
    """Why two statements cannot both hold."""

    FIGURES = "figures"
    NEGATION = "negation"
    DECIDER = "decider"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two statements of the brief of which only one can hold."""

    kind: ConflictKind
    first: Statement
    """What holds while nobody has decided: the earlier one, or the one that stores less about people."""
    second: Statement

    def choices(self) -> tuple[str, str]:
        """Both in their own words, short enough for a question."""
        return shorten(bare(self.first.text), CHOICE_WORDS), shorten(bare(self.second.text), CHOICE_WORDS)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What stands of a conflict."""

    conflict: Contradiction
    kept: Statement | None
    dropped: tuple[Statement, ...]
    answer: Statement | None
    """The answer that settles it; None while nobody has."""


def conflicts(reading: Reading) -> tuple[Contradiction, ...]:
    """The conflicts the rules can see, each statement in at most one."""
    found: list[Contradiction] = []
    used: set[str] = set()
    candidates = [s for s in reading.brief if s.usable and not s.is_a("today")][:MAX_COMPARED]
    stems = {s.ref: _stems(s.text, reading.cues) for s in candidates}
    for one, other in combinations(candidates, 2):
        if {one.ref, other.ref} & used:
            continue
        kind = _kind(one, other, stems[one.ref], stems[other.ref], reading.cues)
        if kind is not None:
            cautious = other.is_a("negative") and one.is_a("personal") and other.is_a("personal")
            found.append(Contradiction(kind, other, one) if cautious else Contradiction(kind, one, other))
            used |= {one.ref, other.ref}
    return tuple(found[:MAX_CONFLICTS])


def rulings(reading: Reading) -> tuple[Ruling, ...]:
    """What stands of each conflict: what an answer says, or for now the first of the two."""
    return tuple(_ruling(c, reading.answers) for c in conflicts(reading))


def dropped_refs(ruled: Sequence[Ruling]) -> frozenset[str]:
    """Ids of the statements no item may rest on."""
    return frozenset(s.ref for ruling in ruled for s in ruling.dropped)


def _ruling(conflict: Contradiction, answers: Sequence[Statement]) -> Ruling:
    pair = (conflict.first, conflict.second)
    shown = [choice.removesuffix(" …") for choice in conflict.choices()]
    for answer in answers:
        if not all(contains_quote(answer.topic, text) for text in shown):
            continue
        for number, text in enumerate(shown):
            if contains_quote(answer.text, text):
                return Ruling(conflict, pair[number], (pair[1 - number],), answer)
        return Ruling(conflict, None, pair, answer)
    return Ruling(conflict, conflict.first, (conflict.second,), None)


def _kind(
    one: Statement, other: Statement, mine: frozenset[str], theirs: frozenset[str], cues: Cues
) -> ConflictKind | None:
    shared = mine & theirs
    if _same_act(one, other, cues):
        return ConflictKind.DECIDER
    if _money_denied(one, other) or _money_denied(other, one):
        return ConflictKind.NEGATION
    if _denies(one, other, shared, cues) or _denies(other, one, shared, cues):
        return ConflictKind.NEGATION
    if _deadlines(one, other, cues) or (shared and _spans(one, other, cues)):
        return ConflictKind.FIGURES
    return None


def _same_act(one: Statement, other: Statement, cues: Cues) -> bool:
    acts = []
    for text in (one.text, other.text):
        found = cues.patterns["conditional"].match(text)
        found = cues.patterns["decides"].match(found.group("rest") if found else text)
        if found is None:
            return False
        acts.append((fold(found.group("who")), fold(bare(re.split(r"[,;]", found.group("act"))[0]))))
    return acts[0][0] != acts[1][0] and acts[0][1] == acts[1][1]


def _money_denied(one: Statement, other: Statement) -> bool:
    return one.is_a("no_money") and other.is_a("money") and other.is_a("budget") and not other.is_a("conditional")


def _denies(one: Statement, other: Statement, shared: frozenset[str], cues: Cues) -> bool:
    """Whether ``one`` rules out what ``other`` asks for."""
    if not one.is_a("negative") or other.is_a("negative") or one.is_a("problem") or other.is_a("problem"):
        return False
    if not (one.is_a("need", "out") or one.is_a("personal")) or not other.is_a("need"):
        return False
    if one.is_a("personal") and other.is_a("personal") and shared:
        return True
    return one.is_a("need") and len(shared) >= 2 and _first_word(one, cues) == _first_word(other, cues)  # noqa: PLR2004


def _deadlines(one: Statement, other: Statement, cues: Cues) -> bool:
    if not (one.is_a("date") and other.is_a("date") and one.is_a("deadline") and other.is_a("deadline")):
        return False
    dates = [fold(cues.find("date", s.text)) for s in (one, other)]
    whole = all(re.search(r"\d{4}|\d", date) for date in dates)
    return (
        whole
        and dates[0] not in dates[1]
        and dates[1] not in dates[0]
        and not (one.is_a("budget") or other.is_a("budget"))
    )


def _spans(one: Statement, other: Statement, cues: Cues) -> bool:
    pairs = [
        {(m.group("u").casefold(), m.group("n").casefold()) for m in _SPAN[cues.language].finditer(s.text)}
        for s in (one, other)
    ]
    if len(pairs[0]) != 1 or len(pairs[1]) != 1 or one.is_a("law") or other.is_a("law"):
        return False
    others = [set(re.findall(r"\d+", _SPAN[cues.language].sub("", s.text))) for s in (one, other)]
    if all(others) and others[0] != others[1]:
        return False
    (first,), (second,) = pairs
    return first[0] == second[0] and first[1] != second[1]


def _first_word(statement: Statement, cues: Cues) -> str:
    return next(iter(_content(statement.text, cues)), "")


def _content(text: str, cues: Cues) -> Iterator[str]:
    for word in _FIGURE.findall(text.casefold()):
        if len(word) > 3 and word not in cues.words.common and word not in _GENERIC and not word[0].isdigit():  # noqa: PLR2004
            yield _STEM.sub("", word)


def _stems(text: str, cues: Cues) -> frozenset[str]:
    return frozenset(_content(text, cues))

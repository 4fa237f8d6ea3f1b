"""What a language must say for the rules to read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Cue words. Texts are regular expressions, searched without regard to case."""

    language: str
    common: frozenset[str]
    """The commonest words, by which the language is recognised and which carry no content."""
    number: str
    """A number in digits or words."""
    measure: str
    """A number with what it counts and how often."""
    limit: str
    """A measure that must not be passed; group ``what`` is the limit with its unit."""
    money: str
    date: str
    deadline: str
    """Words that make a date a deadline."""
    deadline_span: str
    """A deadline as a span from now."""
    budget: str
    no_money: str
    cost: str
    law: str
    place: str
    """Where data must stay."""
    erase: str
    capacity: str
    system: str
    """Words for existing systems and technical facts."""
    exchange: str
    """An exchange with another system; group ``system`` names it."""
    products: str
    """Well-known names of systems a brief may carry."""
    goal: str
    success: str
    """A definition of success; the rest of the sentence is group ``rest``."""
    need: str
    strong: str
    """Words that make a must."""
    weak: str
    """Words that make a could."""
    problem: str
    out: str
    """An exclusion; group ``what`` or ``what2``... holds what is left out."""
    later: str
    negative: str
    opens: str
    """Words of doubt."""
    today: str
    conditional: str
    addressed: str
    """A sentence that speaks to the writer or reviewer of the documents."""
    decides: str
    personal: str
    own_verbs: str
    """What a system does by itself: show, send..."""
    read_verbs: str
    write_verbs: str
    send_verbs: str
    head_start: str
    """How a heading begins that has a verb of its own."""
    cap: str
    """A limit that the system itself must not pass."""
    section_today: str
    section_want: str
    section_limits: str
    section_out: str
    section_people: str
    user_count: str
    hosting: str
    we: str
    qualities: Mapping[str, str]
    """Category of a non-functional requirement -> cue."""
    people: Mapping[str, str]
    """Class of stakeholder -> its nouns; classes are keys of ``Frames.roles``."""
    modifiers: str
    """Words that may stand before a noun of ``people`` and belong to the name."""
    entities: Mapping[str, str]
    """Things a system keeps: name shown -> cue."""
    persons: frozenset[str]
    """Those of ``entities`` that are people."""
    attributes: str
    """Words for what is kept of a thing."""

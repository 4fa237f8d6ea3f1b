"""Requirements and their acceptance criteria around the words of a wish."""

from __future__ import annotations

import re

from combine.drafter.grammar import ADVERB, Party, Wish
from combine.drafter.lexicon import Cues
from combine.drafter.reading import Reading, Statement
from combine.drafter.text import bare, capital, lower_first, sentence, shorten

TEXT_WORDS = 50
ACTION_WORDS = 22

_OWN = re.compile(r"\b(?:our|my)\b", re.IGNORECASE)
_SHALL = re.compile(r"\b(?:must|should|has to|have to|needs to|need to)\b", re.IGNORECASE)
_SELF = re.compile(r"\b(?:we|i|us|me|ourselves)\b", re.IGNORECASE)


def requirement_text(wish: Wish, reading: Reading) -> str:
    """One sentence that says what the system shall do, in the wish's own words."""
    if wish.whole:
        return whole_text(wish.statement, reading)
    body = _german(wish, reading) if reading.cues.language == "de" else _english(wish)
    if body is None:
        return reading.frames.support.format(text=shorten(bare(wish.statement.text), TEXT_WORDS))
    if wish.condition:
        body = f"{wish.condition}, {body}"
    return sentence(shorten(body, TEXT_WORDS))


def whole_text(statement: Statement, reading: Reading) -> str:
    """The whole sentence as a requirement: with "shall" if it says what must be, else as a quotation."""
    text = bare(statement.text)
    if reading.cues.language == "de" and statement.is_a("need") and not reading.cues.has("we", text):
        return sentence(shorten(text, TEXT_WORDS))
    told = _OWN.sub("the client's", _SHALL.sub("shall", text))
    if reading.cues.language == "en" and statement.is_a("need") and not _SELF.search(told):
        return sentence(shorten(told, TEXT_WORDS))
    return reading.frames.support.format(text=shorten(text, TEXT_WORDS))


def criteria(wish: Wish, reading: Reading) -> list[str]:
    """The normal case and the failure, as the kind of action asks for them."""
    frames = reading.frames
    told = shorten(bare(wish.statement.text), ACTION_WORDS)
    capped = wish.statement.is_a("cap") or (wish.party is Party.THING and wish.statement.is_a("limit"))
    if (wish.party is Party.THING or wish.whole) and not (wish.negated or capped):
        return [c.format(text=told) for c in frames.as_told]
    if capped:
        return [c.format(text=told) for c in frames.limit_criteria]
    kind = _kind_of_action(wish, reading.cues)
    short = shorten(bare(wish.action or wish.thing), ACTION_WORDS)
    done = frames.quoted.format(text=told) if kind == "never" else _done(wish, short, reading)
    return [c.format(done=done, text=short) for c in frames.criteria[kind]]


def _kind_of_action(wish: Wish, cues: Cues) -> str:
    if wish.negated:
        return "never"
    if not wish.action:
        return "thing"
    return next((k for k in ("send", "read", "write") if cues.has(f"{k}_verbs", ADVERB.sub("", wish.action))), "other")


def _done(wish: Wish, short: str, reading: Reading) -> str:
    """That the action has been done, as a clause."""
    named = reading.cues.language == "en" and wish.party is Party.PEOPLE and wish.plural
    if named and wish.modal != "must" and not wish.condition and not _SELF.search(wish.action or wish.thing):
        return f"{lower_first(wish.subject)} {_third(short)}"
    return reading.frames.is_done.format(text=short)


def _english(wish: Wish) -> str | None:
    action = _third(wish.action or wish.thing, own=wish.party is Party.CLIENT)
    if _SELF.search(action) or (wish.negated and wish.party is Party.CLIENT):
        return None
    if wish.thing:
        whom = f" {_third(lower_first(wish.subject))} with" if wish.party is Party.PEOPLE else ""
        return f"the system shall provide{whom} {lower_first(action)}"
    able = wish.modal.endswith("be able to") and not wish.negated
    if wish.negated or (wish.party is Party.THING and not able) or action.startswith("be "):
        return f"{_named(wish)} shall {'not ' if wish.negated else ''}{action}"
    return _enabled(wish, action)


def _enabled(wish: Wish, action: str) -> str:
    if wish.party is Party.SYSTEM:
        return f"the system shall {action}"
    subject = "the client" if wish.party is Party.CLIENT else _third(lower_first(wish.subject))
    binding = wish.party is Party.PEOPLE and wish.modal in ("must", "has to", "have to")
    if binding and not action.startswith(("see", "know", "get", "find", "view")):
        return f"the system shall require {subject} to {action}"
    return f"the system shall let {subject} {action}"


def _german(wish: Wish, reading: Reading) -> str | None:
    if wish.negated or wish.modal.startswith(("soll", "muss", "müssen")):
        return bare(wish.statement.text) if not wish.condition else None
    if wish.thing:
        return reading.frames.provide.format(text=wish.thing)
    if wish.party is Party.THING:
        return bare(wish.statement.text)
    if wish.modal.startswith(("möcht", "woll", "will", "kann", "könn", "dürf", "darf")):
        who = wish.subject if wish.party is Party.PEOPLE else reading.frames.client_short
        return reading.frames.enable.format(who=who, text=wish.action)
    return None


def _named(wish: Wish) -> str:
    if wish.party is Party.SYSTEM:
        return "the system"
    return _third(lower_first(wish.subject) if wish.condition else capital(wish.subject))


def _third(text: str, *, own: bool = False) -> str:
    """The text seen from outside: "our" is the client's."""
    return _OWN.sub("their" if own else "the client's", text)

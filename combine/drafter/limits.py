"""Which statements limit the solution instead of asking for something, and which kind of limit they are."""

from __future__ import annotations

from combine.drafter.grammar import FILLER, Party, Wish
from combine.drafter.lexicon import Cues
from combine.drafter.reading import Section, Statement


def constraint_type(statement: Statement, cues: Cues, wish: Wish | None) -> str | None:
    """``budget``, ``time``, ``regulatory``, ``resource`` or ``technical``; None if it is no limit."""
    if statement.section in (Section.TODAY, Section.OUT, Section.PEOPLE) or statement.is_a("success"):
        return None
    asks = wish is not None and wish.party is Party.PEOPLE and not wish.negated
    return _stated(statement, asks=asks) or _implied(statement, cues, wish, asks=asks)


def _stated(statement: Statement, *, asks: bool) -> str | None:
    """Limits that are limits wherever they stand."""
    if statement.is_a("no_money") or (statement.is_a("budget") and statement.is_a("money")):
        return "budget"
    if statement.is_a("deadline") and statement.is_a("date", "deadline_span"):
        return "time"
    lawful = statement.is_a("law") or (statement.is_a("personal") and statement.is_a("erase", "negative"))
    return "regulatory" if lawful and not asks and _binds(statement) else None


def _implied(statement: Statement, cues: Cues, wish: Wish | None, *, asks: bool) -> str | None:
    """Limits that are wishes under a heading of wishes."""
    if statement.section is Section.WANT or statement.topic:
        return None
    if (
        statement.is_a("capacity")
        and not asks
        and not statement.is_a("problem")
        and _names_people(statement.text, cues)
    ):
        return "resource"
    existing = statement.is_a("exchange", "products", "system")
    if statement.section is Section.LIMITS and not statement.is_a("opens"):
        return "technical" if existing or not statement.is_a("out") else None
    named = existing and wish is None and not statement.is_a("problem", "opens", "goal")
    return "technical" if named else None


def quality_of(statement: Statement, cues: Cues, wish: Wish | None) -> str | None:
    """The quality a statement demands (``security``, ``performance``...); None if it demands none."""
    name = next((q for q in cues.words.qualities if cues.quality(q, statement.text)), None)
    kind = constraint_type(statement, cues, wish)
    if kind == "regulatory":
        return name or "security"
    if kind in ("technical", "resource") and statement.section is Section.LIMITS:
        return name
    is_state = wish is not None and wish.party in (Party.SYSTEM, Party.THING) and _describes(wish.action)
    is_state = is_state or (wish is not None and wish.vague)
    return name if kind is None and is_state and statement.section is not Section.TODAY else None


def _binds(statement: Statement) -> bool:
    return statement.is_a("need", "negative", "strong") or statement.section is Section.LIMITS


def _names_people(text: str, cues: Cues) -> bool:
    return cues.has("anybody", text) or cues.has("limit", text)


def _describes(action: str) -> bool:
    first = FILLER.sub("", action).split(" ", 1)[0].casefold()
    return first in ("be", "work", "run", "load", "stay", "remain", "feel", "look") or action.casefold().endswith(
        " sein"
    )

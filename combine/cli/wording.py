"""Numbers, times and ids as people read them. Pure."""

from __future__ import annotations

import shlex
from datetime import datetime
from decimal import Decimal
from uuid import UUID

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SMALLEST = Decimal("0.0001")

NO_MODEL = "no language model was used"
OFFLINE_BANNER = (
    "Drafted offline, no language model: fixed rules sort the sentences of the brief, they do not weigh or judge."
)


def short(identity: UUID) -> str:
    """The first eight digits, which every command takes for the whole."""
    return str(identity)[:8]


def usd(amount: Decimal | None) -> str:
    """An amount of money; None is an unknown price, which is not zero."""
    if amount is None:
        return "unknown price"
    if amount == 0:
        return "0 USD"
    return "< 0.0001 USD" if amount < _SMALLEST else f"{amount:.4f} USD"


def count(number: int, noun: str, nouns: str | None = None) -> str:
    """``1 call``, ``2 calls``."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def duration(seconds: float) -> str:
    """``0.4 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds < _MINUTE:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    for unit, size, part, part_size in (
        ("min", _MINUTE, "s", 1),
        ("h", _HOUR, "min", _MINUTE),
        ("d", _DAY, "h", _HOUR),
    ):
        if whole < {"min": _HOUR, "h": _DAY}.get(unit, whole + 1):
            return f"{whole // size} {unit} {whole % size // part_size} {part}"
    raise AssertionError  # the last unit has no end


def age(moment: datetime, now: datetime) -> str:
    """How long ago, in its largest unit."""
    seconds = max((now - moment).total_seconds(), 0)
    for unit, size in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def words(status: str) -> str:
    """``waiting_for_answers`` as words."""
    return status.replace("_", " ")


def quoted(text: str) -> str:
    """As the shell wants it."""
    return shlex.quote(text)

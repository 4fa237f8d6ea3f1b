"""Numbers, times, ids, tables and JSON as they are printed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from json import dumps
from typing import Any
from uuid import UUID

from rich.cells import cell_len

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_SMALLEST = Decimal("0.0001")

NO_MODEL = "no language model used"
OFFLINE_BANNER = (
    "Drafted offline, without a language model: fixed rules sort the sentences of the brief and do not assess them."
)


def short(identity: UUID) -> str:
    """The first eight digits of an id, which every command accepts."""
    return str(identity)[:8]


def usd(amount: Decimal | None) -> str:
    """An amount of money; None means an unknown price, which is not zero."""
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
    raise AssertionError  # the last unit has no limit


def age(moment: datetime, now: datetime) -> str:
    """The time since then, in its largest unit."""
    seconds = max((now - moment).total_seconds(), 0)
    for unit, size in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def status_words(status: str) -> str:
    """``waiting_for_answers`` as words."""
    return status.replace("_", " ")


def as_json(value: Any, *, indent: int | None = 2) -> str:
    """Views as JSON: ids and times as text, money as numbers."""
    return dumps(value, ensure_ascii=False, indent=indent, default=_json_value)


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset(), indent: str = ""
) -> Iterator[str]:
    """The lines of a table with aligned columns, the same in a terminal and in a pipe.

    ``right``: the columns to align to the right. Wide characters count as two.
    """
    cells = [list(headers), *(list(map(_one_line, row)) for row in rows)]
    widths = [max(cell_len(row[column]) for row in cells) for column in range(len(headers))]
    for row in cells:
        padded = (_pad(text, widths[n], left=n in right) for n, text in enumerate(row))
        yield (indent + "  ".join(padded)).rstrip()


def _pad(text: str, width: int, *, left: bool) -> str:
    gap = " " * (width - cell_len(text))
    return gap + text if left else text + gap


def _one_line(text: str) -> str:
    return " ".join(text.split())

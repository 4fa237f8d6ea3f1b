"""Lists in pages. A cursor is the place of the last item, in a form nobody is to look into."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query

from combine.api.fields import Digits
from combine.errors import Invalid

T = TypeVar("T")

MOST: Final = 200
_LONGEST_CURSOR: Final = 1000
"""Of a name of 120 characters, each of them four bytes in UTF-8 and a third more in base64."""
_MOST_NUMBER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list."""

    items: tuple[T, ...]
    next_cursor: str | None
    """For the page behind this one; null: there is none."""

    @classmethod
    def of(cls, found: Sequence[T], limit: int, cursor: Callable[[T], str]) -> Page[T]:
        """``found`` holds up to ``limit + 1`` items: the one too many says that there is another page."""
        items = tuple(found[:limit])
        return cls(items, cursor(items[-1]) if len(found) > limit else None)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page is asked for."""

    limit: int
    cursor: str | None


def _asked(
    limit: Annotated[int, Query(ge=1, le=MOST, description="Items on a page."), Digits] = 50,
    cursor: Annotated[
        str | None, Query(min_length=1, max_length=_LONGEST_CURSOR, description="`next_cursor` of the page before.")
    ] = None,
) -> Asked:
    return Asked(limit, cursor)


PageAsked = Annotated[Asked, Depends(_asked)]


def cursor_of(*place: datetime | UUID | int | str) -> str:
    """The cursor of an item at this place of its list."""
    values = [one if isinstance(one, int | str) else _text(one) for one in place]
    packed = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
    return urlsafe_b64encode(packed).decode().rstrip("=")


def position(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The place a cursor stands for, as values of these kinds: datetime, UUID, int or str. Raises Invalid."""
    if cursor is None:
        return None
    try:
        values = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list):
            raise _invalid()
        return tuple(_read(value, kind) for value, kind in zip(values, kinds, strict=True))
    except (ValueError, RecursionError):  # no base64, no UTF-8, no JSON, too few, not of its kind
        raise _invalid() from None


def _text(value: datetime | UUID) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _read(value: object, kind: type) -> Any:
    if kind is int and type(value) is int and abs(value) <= _MOST_NUMBER:
        return value
    if not isinstance(value, str) or "\0" in value or not value.isprintable():
        raise _invalid()
    if kind is str:
        return value
    if kind is UUID:
        return UUID(value)
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment
    raise _invalid()


def _invalid() -> Invalid:
    return Invalid(
        "This cursor was not given out by this list.",
        code="cursor_invalid",
        hint="Take next_cursor of the page before as it is, or leave it out.",
    )

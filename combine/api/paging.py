"""Pagination. A cursor is the position of the last item in its list, in an opaque form."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query

from combine.api.requests import IntegerText
from combine.errors import Invalid
from combine.formats import is_storable

_T = TypeVar("_T")

MAX_LIMIT: Final = 200
_MAX_CURSOR: Final = 1000
"""Enough for a name of 120 characters, each of them four bytes in UTF-8 and a third more in base64."""
_MAX_INTEGER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """One page of a list."""

    items: tuple[_T, ...]
    next_cursor: str | None
    """For the next page; null on the last one."""

    @classmethod
    def of(cls, found: Sequence[_T], limit: int, cursor: Callable[[_T], str]) -> Page[_T]:
        """``found`` has up to ``limit + 1`` items: the extra one shows that there is another page."""
        items = tuple(found[:limit])
        return cls(items, cursor(items[-1]) if len(found) > limit else None)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is requested."""

    limit: int
    cursor: str | None


def _page_request(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items per page."), IntegerText] = 50,
    cursor: Annotated[
        str | None, Query(min_length=1, max_length=_MAX_CURSOR, description="`next_cursor` of the previous page.")
    ] = None,
) -> PageRequest:
    return PageRequest(limit, cursor)


PageQuery = Annotated[PageRequest, Depends(_page_request)]


def cursor_of(*position: datetime | UUID | int | str) -> str:
    """The cursor of an item at this position of its list."""
    values = [one if isinstance(one, int | str) else _text(one) for one in position]
    packed = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
    return urlsafe_b64encode(packed).decode().rstrip("=")


def position_of(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The position that a cursor stands for, as values of these types: datetime, UUID, int or str. Raises Invalid."""
    if cursor is None:
        return None
    try:
        values = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list):
            raise _invalid()
        return tuple(_read(value, kind) for value, kind in zip(values, kinds, strict=True))
    except (ValueError, RecursionError):  # not base64, UTF-8 or JSON; the wrong number or type of values
        raise _invalid() from None


def _text(value: datetime | UUID) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _read(value: object, kind: type) -> Any:
    if kind is int and type(value) is int and abs(value) <= _MAX_INTEGER:
        return value
    if not isinstance(value, str) or not is_storable(value):
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
        "Invalid cursor.",
        code="cursor_invalid",
        hint="Pass next_cursor of the previous page unchanged, or omit it to start from the first page.",
    )

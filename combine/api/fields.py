"""What stands in request bodies, with its limits. That no text holds NUL or half a character is the body's matter."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, PlainValidator, Strict

from combine.brief.reading import MAX_BRIEF_BYTES
from combine.services.amounts import MOST_USD, SMALLEST_USD, USD_PLACES

Name = Annotated[str, Field(min_length=1, max_length=100)]
"""Of a workflow, a step, a document type."""
ProjectName = Annotated[str, Field(min_length=1, max_length=120)]
Model = Annotated[str, Field(min_length=1, max_length=200, examples=["claude-sonnet-5-5", "offline"])]
Words = Annotated[str, Field(min_length=1, max_length=10_000)]
BriefText = Annotated[str, Field(min_length=1, max_length=MAX_BRIEF_BYTES)]
"""How many bytes it has is seen when it is read."""
Email = Annotated[str, Field(min_length=3, max_length=254, examples=["ada@example.org"])]
_USD: Final = re.compile(rf"[0-9]{{1,{len(str(MOST_USD))}}}(\.[0-9]{{1,{USD_PLACES}}})?")


def _usd(given: Any) -> Decimal:
    """Raises ValueError. A number is rounded to what is stored, as it may have no exact decimal form."""
    if isinstance(given, str) and _USD.fullmatch(given):
        return Decimal(given)
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= MOST_USD:
        return Decimal(str(given)).quantize(SMALLEST_USD)
    msg = f'an amount up to {MOST_USD} USD is wanted, with no more than {USD_PLACES} decimal places, such as "12.50"'
    raise ValueError(msg)


_UsdText = Annotated[str, Field(pattern=rf"^{_USD.pattern}$", examples=["12.50"])]
_UsdNumber = Annotated[float, Field(ge=0, le=MOST_USD)]
Usd = Annotated[Decimal, PlainValidator(_usd, json_schema_input_type=_UsdText | _UsdNumber)]


_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _day(given: Any) -> date:
    """Raises ValueError. pydantic would take numbers too, as seconds since 1970."""
    if isinstance(given, str) and _DAY.fullmatch(given):
        return date.fromisoformat(given)
    msg = "a day is wanted: 2026-02-28"
    raise ValueError(msg)


Day = Annotated[date, PlainValidator(_day, json_schema_input_type=date)]
Flag = Annotated[bool, Strict()]
"""true or false, and no other word for them."""


def _whole(given: Any) -> Any:
    """Raises ValueError. pydantic would take digits in a text, too."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        msg = "a whole number is wanted"
        raise ValueError(msg)  # noqa: TRY004 - pydantic wants this one
    return given


_DIGITS: Final = re.compile(r"-?[0-9]+")


def _digits(given: Any) -> Any:
    """Raises ValueError. pydantic would take ``1_000`` and ``1.0``, too."""
    if isinstance(given, str) and not _DIGITS.fullmatch(given):
        msg = "a whole number is wanted"
        raise ValueError(msg)
    return given


Digits: Final = BeforeValidator(_digits)
"""For a whole number in a query or a header."""
Days = Annotated[int, Field(ge=1, le=365), BeforeValidator(_whole)]
Answers = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=500)],
        Annotated[str, Field(min_length=1, max_length=10_000)],
    ],
    Field(max_length=100),
]

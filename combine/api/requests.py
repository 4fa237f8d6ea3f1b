"""What requests carry: parameters of paths and queries, fields of bodies, and how a body is read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Mapping
from datetime import date
from decimal import Decimal
from email.message import Message
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from fastapi import Path, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, Strict, model_validator

from combine.api.errors import compressed_body, invalid_request, not_json, request_fault
from combine.brief.reading import MAX_BRIEF_BYTES
from combine.formats import is_storable
from combine.services.amounts import MOST_USD, SMALLEST_USD, USD_PLACES

# Paths, queries and headers

_EXECUTION_ID: Final = "^([0-9A-Fa-f]-?){4,32}$"
_DOCUMENT_ID: Final = "^[A-Za-z0-9][A-Za-z0-9-]{3,79}$"
_INTEGER: Final = re.compile(r"-?[0-9]+")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

ExecutionId = Annotated[
    str,
    Path(
        pattern=_EXECUTION_ID,
        description="The ID of an execution, or its first four or more digits.",
        examples=["3afba815"],
    ),
]
CallId = Annotated[
    str,
    Path(
        pattern=_EXECUTION_ID,
        description="The ID of a call, or its first four or more digits.",
        examples=["5d0c17e2"],
    ),
]
DocumentId = Annotated[
    str,
    Path(
        pattern=_DOCUMENT_ID,
        description="The ID of a document version, or its first four or more characters; or a document type, which "
        "means the current version.",
        examples=["requirements-doc"],
    ),
]
ProjectFilter = Annotated[
    str | None,
    Query(min_length=1, max_length=120, description="Filter by project: its ID or name."),
]
ProjectOfType = Annotated[
    str | None,
    Query(min_length=1, max_length=120, description="If the path names a document type: its project, by ID or name."),
]


def _integer_text(given: Any) -> Any:
    """Raises ValueError for ``1_000`` and ``1.0``, which pydantic accepts."""
    if isinstance(given, str) and not _INTEGER.fullmatch(given):
        msg = "must be an integer"
        raise ValueError(msg)
    return given


def _day(given: Any) -> date:
    """Raises ValueError for anything but YYYY-MM-DD; pydantic also accepts numbers, as seconds since 1970."""
    if isinstance(given, str) and _DAY.fullmatch(given):
        return date.fromisoformat(given)
    msg = "must be a date in the form YYYY-MM-DD"
    raise ValueError(msg)


IntegerText: Final = BeforeValidator(_integer_text)
"""For an integer in a query or a header."""
Day = Annotated[date, PlainValidator(_day, json_schema_input_type=date)]


def id_or_name(project: str | None) -> str | UUID | None:
    """A project's ID if the text is a UUID, else its name."""
    if project is None:
        return None
    try:
        return UUID(project)
    except ValueError:
        return project


# Fields of bodies

_USD: Final = re.compile(rf"[0-9]{{1,{len(str(MOST_USD))}}}(\.[0-9]{{1,{USD_PLACES}}})?")


def _usd(given: Any) -> Decimal:
    """Raises ValueError. A JSON number is rounded to what is stored, as it may have no exact decimal form."""
    if isinstance(given, str) and _USD.fullmatch(given):
        return Decimal(given)
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= MOST_USD:
        return Decimal(str(given)).quantize(SMALLEST_USD)
    msg = f'must be an amount from 0 to {MOST_USD} USD with at most {USD_PLACES} decimal places, such as "12.50"'
    raise ValueError(msg)


def _number(given: Any) -> Any:
    """Raises ValueError for digits in a string, which pydantic accepts."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        msg = "must be an integer"
        raise ValueError(msg)  # noqa: TRY004 - pydantic turns only ValueError into an entry
    return given


Name = Annotated[str, Field(min_length=1, max_length=100)]
"""Of a workflow, a step or a document type."""
ProjectName = Annotated[str, Field(min_length=1, max_length=120)]
Model = Annotated[str, Field(min_length=1, max_length=200, examples=["claude-sonnet-5-5", "offline"])]
Words = Annotated[str, Field(min_length=1, max_length=10_000)]
BriefText = Annotated[str, Field(min_length=1, max_length=MAX_BRIEF_BYTES)]
"""Bounded here in characters; its size in bytes is checked when the brief is read."""
EmailText = Annotated[str, Field(min_length=3, max_length=254, examples=["ada@example.org"])]
_UsdText = Annotated[str, Field(pattern=rf"^{_USD.pattern}$", examples=["12.50"])]
_UsdNumber = Annotated[float, Field(ge=0, le=MOST_USD)]
UsdInput = Annotated[Decimal, PlainValidator(_usd, json_schema_input_type=_UsdText | _UsdNumber)]
Flag = Annotated[bool, Strict()]
"""Only JSON's true and false."""
Days = Annotated[int, Field(ge=1, le=365), BeforeValidator(_number)]
AnswersByQuestion = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=500)],
        Annotated[str, Field(min_length=1, max_length=10_000)],
    ],
    Field(max_length=100),
]


class RequestBody(BaseModel):
    """A JSON object with exactly these fields, whose texts can all be stored."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    checked_later: ClassVar[frozenset[str]] = frozenset()
    """Fields whose text is checked where it is read, with a more exact error."""

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, given: Any) -> Any:
        try:
            now = given
            if isinstance(given, dict) and cls.checked_later:
                now = {name: value for name, value in given.items() if name not in cls.checked_later}
            storable = _all_storable(now)
        except RecursionError:
            msg = "nested too deeply"
            raise ValueError(msg) from None
        if not storable:
            msg = "text must not contain control characters or lone surrogates"
            raise ValueError(msg)
        return given


def _all_storable(given: Any) -> bool:
    if isinstance(given, str):
        return is_storable(given)
    if isinstance(given, Mapping):
        return all(_all_storable(key) and _all_storable(value) for key, value in given.items())
    return not isinstance(given, list) or all(map(_all_storable, given))


# Reading a body


class BodyRoute(APIRoute):
    """A route whose body, if it takes one, must be uncompressed JSON in UTF-8."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What FastAPI calls for each request."""
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def read_and_handle(request: Request) -> Response:
            return await handle(_JsonRequest(request.scope, request.receive))

        return read_and_handle


class _JsonRequest(Request):
    async def body(self) -> bytes:
        """The whole body; empty if there is none. Raises the 415."""
        body = await super().body()
        if body:
            if self.headers.get("content-encoding", "identity").strip().lower() != "identity":
                raise compressed_body()
            if not _is_json(self.headers.get("content-type", "")):
                raise not_json()
        return body

    async def json(self) -> Any:
        """The parsed body. Raises the 422."""
        try:
            return json.loads((await self.body()).decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            message = f"invalid UTF-8 at byte {error.start + 1}: {error.reason}"
        except json.JSONDecodeError as error:
            message = f"invalid JSON: {error}"
        except RecursionError:
            message = "nested too deeply"
        except ValueError:  # Python's limit for the digits of an integer
            message = "a number has too many digits"
        raise invalid_request([request_fault("body", message)])


def _is_json(content_type: str) -> bool:
    message = Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))

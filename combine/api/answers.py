"""Bodies of answers: the services' views, written once and straight to JSON."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, Final

from fastapi import Request, Response
from pydantic import TypeAdapter

from combine.api.errors import amount

_JSON: Final = "application/json"
_AMOUNT: Final = {
    "type": "function-plain",
    "function": amount,
    "return_schema": {"type": "str"},
    "when_used": "json-unless-none",
}


@lru_cache(maxsize=64)
def _writer(kind: Any) -> Any:
    adapter = TypeAdapter(kind)
    return type(adapter.serializer)(_with_amounts(adapter.core_schema))


def _with_amounts(schema: Any) -> Any:
    """The same schema, in which every Decimal is an amount of USD; there is no other use for them."""
    if isinstance(schema, list | tuple):
        return type(schema)([_with_amounts(one) for one in schema])
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "decimal":
        return {**schema, "serialization": _AMOUNT}
    return {key: _with_amounts(one) for key, one in schema.items()}


def answer(kind: Any, value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """``value`` as JSON. ``kind`` is its type, as the route's ``response_model`` names it."""
    return Response(_writer(kind).to_json(value), status, headers, _JSON)


def tag_of(content: bytes) -> str:
    """An ETag. It is a weak one, as the same content may go out compressed."""
    return f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'


def unchanged(request: Request, tag: str, headers: dict[str, str] | None = None) -> Response | None:
    """304, where the client has what the tag stands for already."""
    known = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
    if "*" in known or tag in known or tag.removeprefix("W/") in known:
        return Response(None, 304, _common(tag, headers))
    return None


def tagged_answer(tag: str, content: bytes, media_type: str, headers: dict[str, str] | None = None) -> Response:
    """``content`` with its ETag."""
    return Response(content, 200, _common(tag, headers), media_type)


def cached_answer(request: Request, content: bytes, media_type: str, headers: dict[str, str] | None = None) -> Response:
    """``content`` with an ETag; 304 without it where the client has the same already."""
    tag = tag_of(content)
    return unchanged(request, tag, headers) or tagged_answer(tag, content, media_type, headers)


def cached_view(request: Request, kind: Any, value: object) -> Response:
    """A view, with an ETag."""
    return cached_answer(request, _writer(kind).to_json(value), _JSON)


def _common(tag: str, headers: dict[str, str] | None) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": "private, no-cache", **(headers or {})}

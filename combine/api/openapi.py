"""The document of the API: what FastAPI makes of the routes, brought to what is really sent and taken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from threading import Lock
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute

from combine.api.answers import cached_answer
from combine.api.errors import EVERYWHERE

Json = dict[str, Any]

DESCRIPTION: Final = """\
Every answer has `X-Request-ID`; every error the shape `ErrorBody`. Lists come in pages: `next_cursor` of one is
`cursor` of the next. Money is USD, as text with a decimal point. Times are RFC 3339 in UTC.
HEAD is answered wherever GET is, with the same status and headers; for live events always with 200.
"""

LOCATION: Final[Json] = {
    "Location": {"description": "Where it is from now on.", "schema": {"type": "string"}, "required": True}
}
REPLAYED: Final[Json] = {
    "Idempotency-Replayed": {
        "description": "With an Idempotency-Key: whether it had been started before.",
        "schema": {"type": "string", "enum": ["true", "false"]},
    }
}
_TAG: Final[Json] = {
    "ETag": {"description": "Of this content; for If-None-Match.", "schema": {"type": "string"}, "required": True},
    "Cache-Control": {"schema": {"type": "string", "const": "private, no-cache"}, "required": True},
}
TAGGED: Final[dict[int | str, Json]] = {
    200: {"headers": _TAG},
    304: {"description": "The same as what the client has.", "headers": _TAG},
}
"""For a route whose answers carry an ETag."""
AS_A_FILE: Final[Json] = {
    "Content-Disposition": {"description": "With a file's name.", "schema": {"type": "string"}, "required": True}
}
_IF_NONE_MATCH: Final[Json] = {
    "name": "If-None-Match",
    "in": "header",
    "description": "`ETag` of what the client has already.",
    "schema": {"type": "string"},
}
_REQUEST_ID: Final[Json] = {
    "X-Request-ID": {"description": "As sent along, or made here.", "schema": {"type": "string"}, "required": True}
}
_RETRY_AFTER: Final[Json] = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}, "required": True}
}
_OF_STATUS: Final[Mapping[str, Json]] = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string", "const": "Bearer"}, "required": True}},
    "429": _RETRY_AFTER,
    "503": _RETRY_AFTER,
}
_SHARED: Final = {*map(str, EVERYWHERE), "401", "403", "404", "409", "415"}
"""Errors that are the same wherever they stand, and so stand once."""
_METHODS: Final = frozenset({"get", "head", "post", "put", "patch", "delete"})


router: Final = APIRouter(include_in_schema=False)


@router.get("/api/v1/openapi.json")
async def document(request: Request) -> Response:
    """The document; asked for the first time it takes a while to make, so not in the loop."""
    return cached_answer(request, await asyncio.to_thread(request.app.document), "application/json")


class Application(FastAPI):
    """FastAPI, with a document that holds."""

    def __init__(self, **given: Any) -> None:
        self._making = Lock()
        self._document: bytes | None = None
        super().__init__(**given, openapi_url=None, docs_url=None, redoc_url=None, generate_unique_id_function=_name)

    def openapi(self) -> Json:
        """Made once."""
        with self._making:
            if self.openapi_schema is None:
                _complete(super().openapi())
            assert self.openapi_schema is not None  # FastAPI keeps what it makes
            return self.openapi_schema

    def document(self) -> bytes:
        """The same as it goes out."""
        if self._document is None:
            self._document = json.dumps(self.openapi(), ensure_ascii=False, separators=(",", ":")).encode()
        return self._document


def _name(route: APIRoute) -> str:
    """``executions_start``: the noun and the function's name."""
    return "_".join([*map(str, route.tags[:1]), route.name.rstrip("_")])


def _complete(document: Json) -> None:
    shared: Json = {}
    for _, operation in operations(document):
        operation.pop("summary")  # the function's name in other words
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _without_null(parameter["schema"])
        responses = operation["responses"]
        if "requestBody" in operation:
            responses["415"] = {**responses["422"], "description": HTTPStatus.UNSUPPORTED_MEDIA_TYPE.phrase}
        for status, response in responses.items():
            response["headers"] = {**_REQUEST_ID, **_OF_STATUS.get(status, {}), **response.get("headers", {})}
        if "304" in responses:
            operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
        for status in _SHARED & responses.keys():
            shared[status] = responses[status]
            responses[status] = {"$ref": f"#/components/responses/{status}"}
        operation["responses"] = dict(sorted(responses.items()))
    document["components"]["responses"] = dict(sorted(shared.items()))


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    """``METHOD /path`` and what the document says of it."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                yield f"{method.upper()} {path}", operation


def _without_null(schema: Json) -> Json:
    """What is not sent is not there; in a query or a header there is no null."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    return {**rest, **kinds[0]}

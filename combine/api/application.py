"""FastAPI with our JSON shape for errors, and with an OpenAPI document that matches what is sent and accepted."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import pairwise
from threading import Lock
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match

from combine.api.answers import cached_answer
from combine.api.errors import (
    EVERYWHERE,
    HttpError,
    combine_error_response,
    error_response,
    invalid_request,
    json_error,
    responses,
    validation_faults,
)
from combine.api.middleware import allows_head
from combine.documents import diff, items
from combine.errors import CombineError
from combine.services import definitions, people_views, views

JsonDict = dict[str, Any]

DESCRIPTION: Final = """\
Every response has `X-Request-ID`; every error has the format of `ErrorBody`. Lists are paginated: pass `next_cursor` of
one page as `cursor` to get the next. Amounts are in USD, as strings with a decimal point. Times are RFC 3339 in UTC.
HEAD works wherever GET does, with the same status and headers; for event streams the status is always 200.
"""

LOCATION: Final[JsonDict] = {
    "Location": {"description": "The URL of the new resource.", "schema": {"type": "string"}, "required": True}
}
REPLAYED: Final[JsonDict] = {
    "Idempotency-Replayed": {
        "description": "With an Idempotency-Key: whether an earlier request with this key started the execution.",
        "schema": {"type": "string", "enum": ["true", "false"]},
    }
}
_TAG: Final[JsonDict] = {
    "ETag": {"description": "Send it as If-None-Match.", "schema": {"type": "string"}, "required": True},
    "Cache-Control": {"schema": {"type": "string", "const": "private, no-cache"}, "required": True},
}
TAGGED: Final[dict[int | str, JsonDict]] = {
    200: {"headers": _TAG},
    304: {"description": "Not modified.", "headers": _TAG},
}
"""For a route whose responses have an ETag."""
AS_A_FILE: Final[JsonDict] = {
    "Content-Disposition": {"description": "Names the file.", "schema": {"type": "string"}, "required": True}
}
_IF_NONE_MATCH: Final[JsonDict] = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an earlier response.",
    "schema": {"type": "string"},
}
_REQUEST_ID: Final[JsonDict] = {
    "X-Request-ID": {
        "description": "As sent by the client, or generated.",
        "schema": {"type": "string"},
        "required": True,
    }
}
_RETRY_AFTER: Final[JsonDict] = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}, "required": True}
}
_OF_STATUS: Final[Mapping[str, JsonDict]] = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string", "const": "Bearer"}, "required": True}},
    "429": _RETRY_AFTER,
    "503": _RETRY_AFTER,
}
_SHARED: Final = {*map(str, EVERYWHERE), "401", "403", "404", "409", "415"}
"""Error responses that are the same for every route, and so are written once, as components."""
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_FRAMEWORK_ERRORS: Final = {
    404: ("route_not_found", "Not found"),
    405: ("method_not_allowed", "Method not allowed"),
}


router: Final = APIRouter(include_in_schema=False)


@router.get("/api/v1/openapi.json")
async def document(request: Request) -> Response:
    """The OpenAPI document. Generated in a thread, since that takes a while the first time."""
    return cached_answer(request, await asyncio.to_thread(request.app.document), "application/json")


class Application(FastAPI):
    """FastAPI with our errors and our OpenAPI document."""

    def __init__(self, **given: Any) -> None:
        self._lock = Lock()
        self._document: bytes | None = None
        super().__init__(
            **given,
            responses=responses(*EVERYWHERE),
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
            generate_unique_id_function=_operation_id,
        )
        self.add_exception_handler(CombineError, _on_combine_error)
        self.add_exception_handler(RequestValidationError, _on_validation_error)
        self.add_exception_handler(HTTPException, _on_http_exception)

    def openapi(self) -> JsonDict:
        """The document as an object, generated once."""
        with self._lock:
            if self.openapi_schema is None:
                _complete(super().openapi())
            assert self.openapi_schema is not None  # FastAPI keeps what it generates
            return self.openapi_schema

    def document(self) -> bytes:
        """The document as it is sent."""
        if self._document is None:
            self._document = json.dumps(self.openapi(), ensure_ascii=False, separators=(",", ":")).encode()
        return self._document


async def _on_combine_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, CombineError)
    return combine_error_response(error)


async def _on_validation_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return error_response(invalid_request(validation_faults(error.errors())))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, HttpError):
        return error_response(error)
    code, message = _FRAMEWORK_ERRORS.get(error.status_code, ("request_invalid", error.detail))
    headers = error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(_allowed_methods(request))}
    return json_error(error.status_code, code, message, {}, headers)


def _allowed_methods(request: Request) -> list[str]:
    """All methods of this path; the router itself names only those of the first matching route."""
    routes = request.app.router.routes
    scopes = [{**request.scope, "method": method} for method in _METHODS]
    found = [scope["method"] for scope in scopes if any(route.matches(scope)[0] is Match.FULL for route in routes)]
    if "GET" in found and "HEAD" not in found and allows_head(request.url.path):
        found.insert(found.index("GET") + 1, "HEAD")
    return found


def _operation_id(route: APIRoute) -> str:
    """``executions_start``: the tag and the function's name."""
    return "_".join([*map(str, route.tags[:1]), route.name.rstrip("_")])


def _complete(document: JsonDict) -> None:
    """Add the headers and responses that FastAPI does not know of, and share what is the same everywhere."""
    shared: JsonDict = {}
    for _, operation in operations(document):
        operation.pop("summary")  # repeats the function's name
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _without_null(parameter["schema"])
        described = operation["responses"]
        if "requestBody" in operation:
            described["415"] = {**described["422"], "description": HTTPStatus.UNSUPPORTED_MEDIA_TYPE.phrase}
        for status, response in described.items():
            response["headers"] = {**_REQUEST_ID, **_OF_STATUS.get(status, {}), **response.get("headers", {})}
        if "304" in described:
            operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
        for status in _SHARED & described.keys():
            shared[status] = described[status]
            described[status] = {"$ref": f"#/components/responses/{status}"}
        operation["responses"] = dict(sorted(described.items()))
    document["components"]["responses"] = dict(sorted(shared.items()))
    for name, described in _field_docstrings().items():
        for field, schema in document["components"]["schemas"].get(name, {}).get("properties", {}).items():
            if field in described:
                schema.setdefault("description", described[field])


def _field_docstrings() -> dict[str, dict[str, str]]:
    """The docstrings of the fields of views. Read here, because pydantic would read them at each start."""
    return {
        node.name: {
            field.target.id: re.sub(r"\bNone\b", "`null`", inspect.cleandoc(text.value.value))
            for field, text in pairwise(node.body)
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
        }
        for module in (views, people_views, definitions, diff, items)
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.ClassDef)
    }


def operations(document: JsonDict) -> Iterator[tuple[str, JsonDict]]:
    """``METHOD /path`` and its operation object, for each route of the document."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method.upper() in _METHODS:
                yield f"{method.upper()} {path}", operation


def _without_null(schema: JsonDict) -> JsonDict:
    """An optional parameter is left out; a query or a header has no null."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    return {**rest, **kinds[0]}

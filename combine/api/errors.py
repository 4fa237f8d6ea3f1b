"""One shape for every error, and the only place that names the HTTP status of an error of the tree."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from http import HTTPStatus
from math import isfinite
from typing import Any, Final
from uuid import UUID

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from combine.api.faults import Fault, fault_of
from combine.api.heads import takes_head
from combine.errors import (
    CombineError,
    Conflict,
    Invalid,
    NotFound,
    NotPermitted,
    NotSignedIn,
    PermanentLLMError,
    TransientLLMError,
    Unavailable,
)
from combine.observability.correlation import current_request_id
from combine.services.amounts import USD_PLACES

RETRY_AFTER_S: Final = 2
"""What a client is asked to wait for something that is away."""

_STATUSES: Final[tuple[tuple[type[CombineError], HTTPStatus], ...]] = (
    (Invalid, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (NotSignedIn, HTTPStatus.UNAUTHORIZED),
    (NotPermitted, HTTPStatus.FORBIDDEN),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (TransientLLMError, HTTPStatus.SERVICE_UNAVAILABLE),
    (PermanentLLMError, HTTPStatus.UNPROCESSABLE_ENTITY),
)


class ErrorContent(BaseModel):
    """What went wrong."""

    code: str = Field(description="Stable; names the exact case.")
    message: str = Field(description="The cause, for a person.")
    details: dict[str, Any] = Field(description="What belongs to the code; `hint`, if there is one, is the next step.")
    request_id: str = Field(description="As in X-Request-ID, and in the server's log.")


class ErrorBody(BaseModel):
    """Every error of every route."""

    error: ErrorContent


class Refusal(HTTPException):
    """An error of the transport, not of the thing that is asked for."""

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        code: str,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status.value, message, headers)
        self.code = code
        self.details = dict(details or {})


def body_too_large(most: int, *, close: bool = False) -> Refusal:
    """``close``: the client waits for leave to send the body, and will not send it now."""
    message = f"The body is larger than {most} bytes."
    headers = _CLOSE if close else None
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, code="body_too_large", headers=headers)


def body_late(seconds: float) -> Refusal:
    """The client did not send what it had announced."""
    message = f"The body did not come within {seconds:g} s."
    return Refusal(HTTPStatus.REQUEST_TIMEOUT, message, code="request_timeout", headers=_CLOSE)


def took_too_long(seconds: float) -> Refusal:
    """We did not get ready in time."""
    message = f"The request was not done within {seconds:g} s."
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, message, code="request_timeout", headers=_retry(RETRY_AFTER_S))


def too_busy() -> Refusal:
    """More requests at once than we take."""
    message = "The server has more requests at hand than it takes."
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, message, code="server_busy", headers=_retry(RETRY_AFTER_S))


def no_json() -> Refusal:
    """A body of another kind, or of none that is named."""
    return Refusal(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The Content-Type of the body is not application/json.",
        code=_UNSUPPORTED,
        details={"hint": "Send the body as JSON, with the header Content-Type: application/json."},
    )


def compressed_body() -> Refusal:
    """Small ones unfold to endless ones, and no client needs it."""
    return Refusal(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Compressed bodies are not taken.",
        code=_UNSUPPORTED,
        details={"hint": "Send the body as it is, without the header Content-Encoding."},
    )


def faulty(faults: Sequence[Fault]) -> Refusal:
    """Where the request has faults, and which."""
    message = "The request has faults; see details.faults."
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, message, code="request_invalid", details={"faults": list(faults)})


def rate_limited(limit: str, seconds: int) -> Refusal:
    """Too many of one kind."""
    return Refusal(
        HTTPStatus.TOO_MANY_REQUESTS,
        "That was too often; wait a moment.",
        code="rate_limited",
        headers=_retry(seconds),
        details={"limit": limit, "retry_after_s": seconds},
    )


def host_not_allowed() -> Refusal:
    """The name is not ours: a mistake of a proxy, or somebody else's page that points its name here."""
    return Refusal(HTTPStatus.BAD_REQUEST, "This host name is not answered here.", code="host_not_allowed")


def url_too_long(most: int) -> Refusal:
    """Path and query together."""
    return Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, f"The URL is longer than {most} bytes.", code="url_too_long")


def nul_in_url() -> Refusal:
    """PostgreSQL holds no such character, so nothing can be called so."""
    message = "The URL holds a NUL character."
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, message, code="request_invalid")


def origin_not_allowed() -> Refusal:
    """A web page of another origin asks what it may do, and may not do it."""
    message = "Pages of this origin may not do this here."
    return Refusal(HTTPStatus.BAD_REQUEST, message, code="origin_not_allowed")


def internal_error() -> Refusal:
    """A fault of ours. What it was stands in the log, under the same request id."""
    message = "Something went wrong here. It is in the log under the request id."
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, message, code="internal_error")


def status_of(error: CombineError) -> HTTPStatus:
    """The HTTP status of an error of the tree."""
    return next((status for family, status in _STATUSES if isinstance(error, family)), _INTERNAL)


def refuse(refusal: Refusal) -> Response:
    """The response, for those who are no route: middleware, the protocol."""
    return _response(refusal.status_code, refusal.code, refusal.detail, refusal.details, refusal.headers)


def error_bytes(code: str, message: str, details: Mapping[str, Any], request_id: str) -> bytes:
    """The body of an error."""
    content = {"code": code, "message": message, "details": given_out(details), "request_id": request_id}
    return json.dumps({"error": content}, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def amount(usd: Decimal) -> str:
    """An amount of USD as it stands in every answer: with all places that are kept."""
    return f"{usd:.{USD_PLACES}f}"


def given_out(value: Any) -> Any:
    """``value`` as JSON; what has no form there is left out (details may hold objects for code)."""
    if isinstance(value, Decimal):
        return amount(value) if value.is_finite() else str(value)
    if isinstance(value, str | UUID):
        return str(value)
    if value is None or isinstance(value, int | float):
        return value if not isinstance(value, float) or isfinite(value) else str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): given_out(one) for key, one in value.items() if _has_form(one)}
    return [given_out(one) for one in value if _has_form(one)]


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route or a router: that it may answer so, in the one shape."""
    return {status: {"model": ErrorBody, "description": HTTPStatus(status).phrase} for status in statuses}


EVERYWHERE: Final = (400, 408, 413, 414, 422, 429, 431, 500, 503)
"""What any route may answer."""


def install(app: FastAPI) -> None:
    """Make every error of a route take the one shape."""
    app.add_exception_handler(CombineError, _on_our_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_our_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, CombineError)
    status = status_of(error)
    if status is _INTERNAL:
        raise error
    headers: Mapping[str, str] | None = None
    if status is HTTPStatus.UNAUTHORIZED:
        headers = {"WWW-Authenticate": "Bearer"}
    elif status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers = _retry(RETRY_AFTER_S)
    details = {**error.details, **({"hint": error.hint} if error.hint else {})}
    return _response(status, error.code, error.message, details, headers)


async def _on_invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return refuse(faulty([fault_of(found) for found in error.errors()]))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, Refusal):
        return refuse(error)
    code, message = _FRAMEWORK.get(error.status_code, ("request_invalid", error.detail))
    headers = error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(_methods(request))}
    return _response(error.status_code, code, message, {}, headers)


def _methods(request: Request) -> list[str]:
    """What is possible at this path; the router itself names only those of the first route that fits."""
    routes = request.app.router.routes
    scopes = [{**request.scope, "method": method} for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")]
    found = [scope["method"] for scope in scopes if any(route.matches(scope)[0] is Match.FULL for route in routes)]
    if "GET" in found and "HEAD" not in found and takes_head(request.url.path):
        found.insert(found.index("GET") + 1, "HEAD")
    return found


_FRAMEWORK: Final = {
    404: ("route_not_found", "There is nothing here."),
    405: ("method_not_allowed", "That cannot be done with this."),
}
_UNSUPPORTED: Final = "unsupported_media_type"
_INTERNAL: Final = HTTPStatus.INTERNAL_SERVER_ERROR
_CLOSE: Final = {"Connection": "close"}


def _response(
    status: int, code: str, message: str, details: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    body = error_bytes(code, message, details, current_request_id() or "")
    return Response(body, int(status), headers, media_type="application/json")


def _retry(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}


def _has_form(value: Any) -> bool:
    if value is None or isinstance(value, str | bool | int | float | Decimal | UUID | date | Mapping):
        return True
    return isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray)

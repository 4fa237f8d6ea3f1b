"""One JSON shape for every error, and the only place that assigns an HTTP status to an error of the tree."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from http import HTTPStatus
from math import isfinite
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

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
from combine.services.amounts import usd_text

_RETRY_AFTER_S: Final = 2
"""Suggested wait while a dependency is down or the server is busy."""
_MAX_LOCATION: Final = 200
_UNSUPPORTED: Final = "unsupported_media_type"
_CLOSE: Final = {"Connection": "close"}

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

    code: str = Field(description="Stable identifier of the exact case.")
    message: str = Field(description="The cause, for people.")
    details: dict[str, Any] = Field(description="Depends on the code; `hint`, if present, is the next step.")
    request_id: str = Field(description="The same as in X-Request-ID and in the server's log.")


class ErrorBody(BaseModel):
    """The body of every error response."""

    error: ErrorContent


class HttpError(HTTPException):
    """An error of the HTTP layer: the request was refused before a service was called."""

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


def body_too_large(limit: int, *, close: bool = False) -> HttpError:
    """413. ``close``: the client waits for ``100 Continue`` and will not send the body any more."""
    return HttpError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"Request body too large; the limit is {limit} bytes",
        code="body_too_large",
        headers=_CLOSE if close else None,
    )


def body_timeout(seconds: float) -> HttpError:
    """408: the client did not send the body it announced."""
    message = f"The request body did not arrive within {seconds:g} s"
    return HttpError(HTTPStatus.REQUEST_TIMEOUT, message, code="request_timeout", headers=_CLOSE)


def request_timeout(seconds: float) -> HttpError:
    """503: the server did not finish in time."""
    message = f"The request timed out after {seconds:g} s; try again shortly"
    return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, message, code="request_timeout", headers=_retry(_RETRY_AFTER_S))


def server_busy() -> HttpError:
    """503: too many concurrent requests."""
    message = "The server is busy; try again shortly"
    return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, message, code="server_busy", headers=_retry(_RETRY_AFTER_S))


def not_json() -> HttpError:
    """415: the body has another Content-Type, or none."""
    return HttpError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The request body must be JSON",
        code=_UNSUPPORTED,
        details={"hint": "Send JSON with the header Content-Type: application/json."},
    )


def compressed_body() -> HttpError:
    """415: a small compressed body can expand to an enormous one, and no client needs it."""
    return HttpError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Compressed request bodies are not supported",
        code=_UNSUPPORTED,
        details={"hint": "Send the body uncompressed, without the header Content-Encoding."},
    )


def request_fault(location: str, message: str) -> dict[str, str]:
    """One entry of ``details.faults``."""
    return {"location": location[:_MAX_LOCATION], "message": message}


def validation_faults(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Pydantic's errors as entries. Its messages do not repeat the input, which may be a misplaced secret."""
    return [request_fault(".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")) for one in errors]


def invalid_request(faults: Sequence[Mapping[str, str]]) -> HttpError:
    """422 with the place and message of every fault."""
    message = "Invalid request; see details.faults"
    return HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, message, code="request_invalid", details={"faults": list(faults)})


def rate_limited(limit: str, seconds: int) -> HttpError:
    """429."""
    return HttpError(
        HTTPStatus.TOO_MANY_REQUESTS,
        f"Too many requests; try again in {seconds} s",
        code="rate_limited",
        headers=_retry(seconds),
        details={"limit": limit, "retry_after_s": seconds},
    )


def host_not_allowed() -> HttpError:
    """400: a misconfigured proxy, or another site that points its host name here (DNS rebinding)."""
    message = "Host name not allowed; see COMBINE_ALLOWED_HOSTS"
    return HttpError(HTTPStatus.BAD_REQUEST, message, code="host_not_allowed")


def url_too_long(limit: int) -> HttpError:
    """414: path and query together."""
    message = f"URL too long; the limit is {limit} bytes"
    return HttpError(HTTPStatus.REQUEST_URI_TOO_LONG, message, code="url_too_long")


def nul_in_url() -> HttpError:
    """422: PostgreSQL cannot store NUL, so nothing can have such a name."""
    message = "The URL must not contain NUL characters"
    return HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, message, code="request_invalid")


def origin_not_allowed() -> HttpError:
    """400 to a CORS preflight request."""
    return HttpError(HTTPStatus.BAD_REQUEST, "Origin not allowed", code="origin_not_allowed")


def internal_error() -> HttpError:
    """500: a bug. The cause is in the log only, under the same request id."""
    message = "Internal server error; the server's log has the cause under this request ID"
    return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, message, code="internal_error")


def status_of(error: CombineError) -> HTTPStatus:
    """The HTTP status of an error of the tree."""
    found = (status for family, status in _STATUSES if isinstance(error, family))
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)


def error_response(error: HttpError) -> Response:
    """The response to an error raised outside of a route: in middleware, in the protocol."""
    return json_error(error.status_code, error.code, error.detail, error.details, error.headers)


def combine_error_response(error: CombineError) -> Response:
    """The response to an error of the tree. Raises the error itself if it has no status: that is a bug."""
    status = status_of(error)
    headers: Mapping[str, str] | None = None
    match status:
        case HTTPStatus.INTERNAL_SERVER_ERROR:
            raise error
        case HTTPStatus.UNAUTHORIZED:
            headers = {"WWW-Authenticate": "Bearer"}
        case HTTPStatus.SERVICE_UNAVAILABLE:
            headers = _retry(_RETRY_AFTER_S)
    details = {**error.details, **({"hint": error.hint} if error.hint else {})}
    return json_error(status, error.code, error.message, details, headers)


def json_error(
    status: int, code: str, message: str, details: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """A response in the one shape, with the id of the current request."""
    body = error_bytes(code, message, details, current_request_id() or "")
    return Response(body, int(status), headers, media_type="application/json")


def error_bytes(code: str, message: str, details: Mapping[str, Any], request_id: str) -> bytes:
    """The body of an error."""
    content = {"code": code, "message": message, "details": public_details(details), "request_id": request_id}
    return json.dumps({"error": content}, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def public_details(value: Any) -> Any:
    """``value`` as JSON. What has no JSON form is left out: details may contain objects meant for code only."""
    if isinstance(value, Decimal):
        return usd_text(value) if value.is_finite() else str(value)
    if isinstance(value, str | UUID):
        return str(value)
    if value is None or isinstance(value, int | float):
        return value if not isinstance(value, float) or isfinite(value) else str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): public_details(one) for key, one in value.items() if _has_form(one)}
    return [public_details(one) for one in value if _has_form(one)]


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route or a router: the errors it may answer with."""
    return {status: {"model": ErrorBody, "description": HTTPStatus(status).phrase} for status in statuses}


EVERYWHERE: Final = (400, 408, 413, 414, 422, 429, 431, 500, 503)
"""What any route may answer."""


def _retry(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}


def _has_form(value: Any) -> bool:
    if value is None or isinstance(value, str | bool | int | float | Decimal | UUID | date | Mapping):
        return True
    return isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray)

"""The error that an unsuccessful response of a server stands for. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

from combine.errors import (
    CombineError,
    Conflict,
    Invalid,
    NotFound,
    NotPermitted,
    NotSignedIn,
    Unavailable,
)

_FAMILIES: Final[dict[int, type[CombineError]]] = {
    400: Invalid,
    401: NotSignedIn,
    403: NotPermitted,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    413: Invalid,
    414: Invalid,
    422: Invalid,
    429: Unavailable,
    431: Invalid,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
_NOT_OURS: Final = frozenset({"route_not_found", "method_not_allowed"})
_OTHER_VERSION: Final = "The versions of client and server may be incompatible; compare them with `combine doctor`."
_NEW_TOKEN: Final = "Then set COMBINE_TOKEN."  # noqa: S105 - not a secret


def error_from_response(
    server: str, status: int, body: bytes, retry_after: float | None, location: str | None
) -> CombineError:
    """The error of a response. ``location``: the target of a redirect."""
    if 300 <= status < 400:  # noqa: PLR2004 - redirects
        return incompatible(
            server, f"it redirects to {location or 'another address'}", hint=f"Use this address: {location}"
        )
    content = _content(body)
    if content is None:
        family = _FAMILIES.get(status, CombineError)
        if issubclass(family, Unavailable):
            return Unavailable(
                f"The server at {server} is not available (status {status}).",
                code="server_unavailable",
                hint="Try again later; if the problem persists, contact the operator of this server.",
            )
        return incompatible(server, f"it returned status {status} without an error message")
    return _from_content(server, status, content, retry_after)


def incompatible(server: str, why: str, *, hint: str = _OTHER_VERSION) -> CombineError:
    """The server is not The Combine, or has an incompatible version."""
    return CombineError(f"Unexpected response from {server}: {why}.", code="server_unlike", hint=hint)


def _content(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    fields = (("code", str), ("message", str), ("details", dict))
    if isinstance(content, dict) and all(isinstance(content.get(name), kind) for name, kind in fields):
        return content
    return None


def _from_content(server: str, status: int, content: dict[str, Any], retry_after: float | None) -> CombineError:
    code, message, details = content["code"], content["message"], content["details"]
    hint = details.get("hint") if isinstance(details.get("hint"), str) else None
    if code in _NOT_OURS:
        return incompatible(server, f"{message[:1].lower()}{message[1:].rstrip('.')}")
    if code == "host_not_allowed":
        return Invalid(
            message, code=code, hint="Use the public address of the server, or add this name to COMBINE_ALLOWED_HOSTS."
        )
    family = _FAMILIES.get(status)
    if family is None:
        return CombineError(
            f"The server at {server} failed: {message}",
            code=code,
            hint=f"The server's log has the cause under the request ID {content.get('request_id')}.",
            details=details,
        )
    if code == "request_invalid":
        message = _field_errors(details) or message
    if retry_after is not None and hint is None:
        hint = f"Try again in {retry_after:g} s."
    if family is NotSignedIn:
        hint = f"{hint} {_NEW_TOKEN}" if hint else _NEW_TOKEN
    return family(message, code=code, hint=hint, details=details)


def _field_errors(details: dict[str, Any]) -> str:
    """The invalid fields of a request, each with its error."""
    faults = details.get("faults")
    if not isinstance(faults, list):
        return ""
    fields = [
        f"{str(fault.get('location', '')).partition('.')[2]}: {str(fault.get('message')).removeprefix('Value error, ')}"
        for fault in faults
        if isinstance(fault, dict)
    ]
    return f"The server rejected the request: {'; '.join(fields)}." if fields else ""

"""What a server's no means: its body and status as an error of our tree. Pure."""

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
_OTHER_VERSION: Final = "Versions of client and server may be too far apart; `combine doctor` names both."
_NEW_TOKEN: Final = "Then set COMBINE_TOKEN."  # noqa: S105 - a sentence


def refusal(server: str, status: int, body: bytes, retry_after: float | None, location: str | None) -> CombineError:
    """The error that a response stands for. ``location``: where it sends the client, if it does."""
    if 300 <= status < 400:  # noqa: PLR2004 - redirects
        return unlike(server, f"it sends to {location or 'another address'}", hint=f"Give that address: {location}")
    content = _content(body)
    if content is None:
        family = _FAMILIES.get(status, CombineError)
        if issubclass(family, Unavailable):
            return Unavailable(
                f"The server at {server} does not answer (status {status}).",
                code="server_unavailable",
                hint="Try again in a moment; if it stays so, ask whoever runs it.",
            )
        return unlike(server, f"it answers with the status {status} and no reason")
    return _told(server, status, content, retry_after)


def unlike(server: str, how: str, *, hint: str = _OTHER_VERSION) -> CombineError:
    """What answers is no server of ours, or one of another version."""
    return CombineError(f"{server} does not answer as The Combine does: {how}.", code="server_unlike", hint=hint)


def _content(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)["error"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    wanted = (("code", str), ("message", str), ("details", dict))
    if isinstance(content, dict) and all(isinstance(content.get(name), kind) for name, kind in wanted):
        return content
    return None


def _told(server: str, status: int, content: dict[str, Any], retry_after: float | None) -> CombineError:
    code, message, details = content["code"], content["message"], content["details"]
    hint = details.get("hint") if isinstance(details.get("hint"), str) else None
    if code in _NOT_OURS:
        return unlike(server, f"{message[:1].lower()}{message[1:].rstrip('.')}")
    if code == "host_not_allowed":
        return Invalid(
            message, code=code, hint="Give the address that people use, or add the name to its allowed hosts."
        )
    family = _FAMILIES.get(status)
    if family is None:
        return CombineError(
            f"The server at {server} failed: {message}",
            code=code,
            hint=f"Whoever runs it finds the reason in its log under {content.get('request_id')}.",
            details=details,
        )
    if code == "request_invalid":
        message = _faults(details) or message
    if retry_after is not None and hint is None:
        hint = f"Try again in {retry_after:g} s."
    if family is NotSignedIn:
        hint = f"{hint} {_NEW_TOKEN}" if hint else _NEW_TOKEN
    return family(message, code=code, hint=hint, details=details)


def _faults(details: dict[str, Any]) -> str:
    """Faults of a request in words: where, and what."""
    faults = details.get("faults")
    if not isinstance(faults, list):
        return ""
    told = [
        f"{str(fault.get('location', '')).partition('.')[2]}: {str(fault.get('message')).removeprefix('Value error, ')}"
        for fault in faults
        if isinstance(fault, dict)
    ]
    return f"The server cannot use this: {'; '.join(told)}." if told else ""

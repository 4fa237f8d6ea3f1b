"""Turns a provider's error responses into errors that say whether a retry helps and what to do.

Codes are stable. The provider's own words are quoted, without keys (``faults.Endpoint.quote``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from combine.errors import LLMError, PermanentLLMError, TransientLLMError
from combine.formats import retry_after_s
from combine.llm import shapes
from combine.llm.faults import Endpoint, is_page, page_text
from combine.llm.protocol import LLMRequest


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error response: an HTTP status, or the equivalent inside a stream."""

    status: int
    type: str | None = None
    """The provider's category, such as ``overloaded_error``."""
    code: str | None = None
    """The provider's exact case, such as ``insufficient_quota``."""
    message: str = ""
    headers: Mapping[str, str] | None = None
    request_id: str | None = None
    model: str = ""
    max_output_tokens: int | None = None
    """Of the request, to recognize the figure in the message."""


_SPEND_LIMITS: Final = frozenset(
    {"enforced_spend_limit_reached", "contract_spend_limit_reached", "ramp_limit_exceeded"}
)
_EMPTY_ACCOUNTS: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_TOO_LONG: Final = re.compile(
    r"prompt is too long|context[ _](length|window|size|limit)|maximum context|too many tokens", re.IGNORECASE
)
_SCHEMA: Final = re.compile(r"schema|compiled grammar|output_config|response_format|output_format", re.IGNORECASE)
_PER_DAY: Final = re.compile(r"\b(per|a|this|an?)[ _-]day\b|per_?day|\bdaily\b|\b[RT]PD\b", re.IGNORECASE)
_UNIT_S: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN: Final = r"(\d+(?:\.\d+)?)\s*(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])"
_NAMED_WAIT: Final = re.compile(
    rf"(?:try again|retry|wait)(?:\s+(?:again|after|in|for|at least))*\s+((?:{_SPAN}[\s,]*(?:and\s+)?)+)", re.IGNORECASE
)
LIMIT_NAMES: Final = ("max_tokens", "max_completion_tokens")
"""The names of the output limit in OpenAI's API, old and new."""
_WRONG_NAME: Final = re.compile(
    r"instead|unsupported|not supported|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed"
    r"|extra (inputs|fields)",
    re.IGNORECASE,
)
_STREAM_STATUS: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def stream_status(*names: str | None) -> int:
    """The HTTP status that corresponds to an error inside a stream; 500 for an unknown kind."""
    for name in names:
        if name in _STREAM_STATUS:
            return _STREAM_STATUS[name]
        if name and name.isdigit() and 400 <= int(name) < 600:  # noqa: PLR2004 - the range of HTTP errors
            return int(name)
    return 500


def inside_reply(error: object, request: LLMRequest | None) -> Refusal:
    """The refusal that an error inside a reply with status 200 stands for."""
    code, kind = _name(shapes.field(error, "code")), _name(shapes.field(error, "type"))
    return Refusal(
        status=stream_status(code, kind, _name(shapes.field(error, "status"))),
        type=kind,
        code=code,
        message=body_message(error),
        model=request.model if request else "",
        max_output_tokens=request.max_output_tokens if request else None,
    )


def _name(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None


def wants_other_limit_name(status: int, message: str, used: str) -> bool:
    """Whether the server rejected the name of the output limit, and not the limit."""
    return (
        status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}
        and re.search(rf"\b{used}\b", message) is not None
        and _WRONG_NAME.search(message) is not None
    )


def refused(endpoint: Endpoint, refusal: Refusal, now: datetime | None = None) -> LLMError:
    """The exception for an error response. ``now``: for a Retry-After given as a date (default: the clock)."""
    details: dict[str, Any] = {"status": refusal.status}
    if refusal.type:
        details["provider_type"] = refusal.type
    if refusal.code:
        details["provider_code"] = refusal.code
    if refusal.request_id:
        details["request_id"] = refusal.request_id
    waits = (retry_after_s(refusal.headers or {}, now), _named_wait_s(refusal.message))
    known = [wait for wait in waits if wait is not None]
    if known:
        details["retry_after_s"] = max(known)
    found = _permanent(endpoint, refusal) or _transient(endpoint, refusal)
    if isinstance(found, TransientLLMError) and _is_per_day(refusal):
        details["limit_per_day"] = True
    found.details.update(details)
    return found


def _is_per_day(refusal: Refusal) -> bool:
    return refusal.status == HTTPStatus.TOO_MANY_REQUESTS and _PER_DAY.search(refusal.message) is not None


def _named_wait_s(message: str) -> float | None:
    """The wait that a message names (``try again in 7m12s``), in seconds."""
    found = _NAMED_WAIT.search(message)
    if found is None:
        return None
    spans = re.findall(_SPAN, found[1], re.IGNORECASE)
    return sum(float(number) * _UNIT_S[_unit(name.lower())] for number, name in spans)


def _unit(name: str) -> str:
    return "ms" if name.startswith(("ms", "milli")) else name[0]


def _is_page(refusal: Refusal) -> bool:
    return is_page(refusal.message) or (
        "html" in (refusal.headers or {}).get("content-type", "") and refusal.message.lstrip().startswith("<")
    )


def _said(endpoint: Endpoint, refusal: Refusal) -> str:
    """The provider's own words, to append to a message."""
    said = endpoint.quote(page_text(refusal.message)).rstrip(". ")
    return f": {said}" if said else ""


def _permanent(endpoint: Endpoint, refusal: Refusal) -> PermanentLLMError | None:
    named, said = {refusal.type, refusal.code}, _said(endpoint, refusal)
    if named & _SPEND_LIMITS:
        return PermanentLLMError(
            f"The account at {endpoint.where()} has reached a spending limit{said}.",
            code="spend_limit_reached",
            hint="Raise the limit in the provider's console or wait for the next period, then resume.",
        )
    if named & _EMPTY_ACCOUNTS or refusal.status == HTTPStatus.PAYMENT_REQUIRED:
        return PermanentLLMError(
            f"{endpoint.where()} requires payment: the account has no credit or no active billing{said}.",
            code="billing_required",
            hint="Resolve it in the provider's console, then resume.",
        )
    if _is_page(refusal) and refusal.status not in _NAMED_PAGES and not _worth_retrying(refusal.status):
        return _page(endpoint, refusal)
    known = _BY_STATUS.get(refusal.status)
    if known is not None:
        return known(endpoint, refusal)
    if not _worth_retrying(refusal.status):
        return _rejected(endpoint, refusal)
    return None


def _worth_retrying(status: int) -> bool:
    return status >= 500 or status < 300 or status in {408, 409, 425, 429}  # noqa: PLR2004 - HTTP classes


def _page(endpoint: Endpoint, refusal: Refusal) -> PermanentLLMError:
    return PermanentLLMError(
        f"{endpoint.where()} responded with a web page (status {refusal.status}){_said(endpoint, refusal)}.",
        code="protocol_mismatch",
        hint=_BETWEEN.format(variable=endpoint.base_url_variable),
    )


def _key_rejected(endpoint: Endpoint, refusal: Refusal) -> PermanentLLMError:
    return PermanentLLMError(
        f"{endpoint.where()} does not accept the API key{_said(endpoint, refusal)}.",
        code="api_key_rejected",
        hint=f"Check {endpoint.key_variable}: the key may be mistyped, revoked or from another provider.",
    )


def _forbidden(endpoint: Endpoint, refusal: Refusal) -> PermanentLLMError:
    return PermanentLLMError(
        f"{endpoint.where()} does not allow this key to use the model {refusal.model!r}{_said(endpoint, refusal)}.",
        code="permission_denied",
        hint="Grant the key access in the provider's console, or choose another model with --model.",
    )


def _not_found(endpoint: Endpoint, refusal: Refusal) -> PermanentLLMError:
    own = " and the end of the URL (often /v1)" if endpoint.base_url else ""
    check = f", or check {endpoint.base_url_variable}{own}" if endpoint.base_url else ""
    if not refusal.type and not refusal.code and "model" not in refusal.message.casefold():
        return PermanentLLMError(
            f"{endpoint.where()} did not find this URL (404){_said(endpoint, refusal)}.",
            code="endpoint_not_found",
            hint=f"Check {endpoint.base_url_variable}{own}.",
        )
    return PermanentLLMError(
        f"{endpoint.where()} has no model {refusal.model!r}: it is mistyped, retired or not available to this account"
        f"{_said(endpoint, refusal)}.",
        code="model_not_found",
        hint=f"Choose another model with --model or COMBINE_LLM_DEFAULT_MODEL{check}.",
    )


def _too_large(endpoint: Endpoint, refusal: Refusal) -> PermanentLLMError:
    return PermanentLLMError(
        f"The request is too large for {endpoint.where()}{_said(endpoint, refusal)}.",
        code="request_too_large",
        hint="Shorten the brief, or choose a model with a larger context.",
    )


def _rejected(endpoint: Endpoint, refusal: Refusal) -> PermanentLLMError:
    said = endpoint.quote(refusal.message) or f"status {refusal.status}"
    own_limit = _names_own_limit(refusal)
    if refusal.code in {"context_length_exceeded", "exceed_context_size_error"} or _TOO_LONG.search(refusal.message):
        return PermanentLLMError(
            f"The prompt is too long for the model {refusal.model!r} at {endpoint.where()}: {said}",
            code="prompt_too_long",
            hint=own_limit or "Shorten the brief, or choose a model with a larger context.",
        )
    if _SCHEMA.search(refusal.message):
        return PermanentLLMError(
            f"{endpoint.where()} does not accept the JSON Schema of the reply: {said}",
            code="schema_rejected",
            hint="Simplify the document's schema (fewer optional fields and unions), or choose a model that supports "
            "structured output.",
        )
    return PermanentLLMError(
        f"{endpoint.where()} rejected the request: {said}",
        code="request_rejected",
        hint=own_limit or "The model may not support this request; choose another one with --model.",
    )


def _names_own_limit(refusal: Refusal) -> str | None:
    """The hint for a message that contains the output limit of the request."""
    limit = refusal.max_output_tokens
    if limit is None or not re.search(rf"(?<!\d)({limit}|{limit:,})(?!\d)", refusal.message):
        return None
    return (
        f"The {limit:,} tokens reserved for the reply count too: set COMBINE_LLM_MAX_OUTPUT_TOKENS to a lower number, "
        "or choose a model with a larger context."
    )


_BETWEEN: Final = (
    "Something between here and the provider answered, such as a firewall, a proxy or a login portal: check the "
    "network, the proxy settings and {variable}."
)
_BY_STATUS: Final = {401: _key_rejected, 403: _forbidden, 404: _not_found, 413: _too_large}
_NAMED_PAGES: Final = frozenset({402, 404, 413})
"""Where the status of a web page says more than that it is one."""


def _transient(endpoint: Endpoint, refusal: Refusal) -> TransientLLMError:
    where, said = endpoint.where(), _said(endpoint, refusal)
    later = "Resume the execution later; completed work is saved."
    if _is_page(refusal):
        said = f", as a web page{said}"
        later = f"{later} {_BETWEEN.format(variable=endpoint.base_url_variable)}"
    if _is_per_day(refusal):
        return TransientLLMError(
            f"{where} reports that a limit per day is reached{said}.",
            code="rate_limited",
            hint="Resume the execution when the provider's day is over; completed work is saved.",
        )
    if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
        return TransientLLMError(f"{where} reports too many requests or tokens{said}.", code="rate_limited", hint=later)
    if refusal.status in {408, 504}:
        return TransientLLMError(f"{where} timed out ({refusal.status}){said}.", code="provider_timeout", hint=later)
    if refusal.status in {503, 529} or refusal.type == "overloaded_error":
        return TransientLLMError(f"{where} is overloaded{said}.", code="provider_overloaded", hint=later)
    return TransientLLMError(f"{where} failed with status {refusal.status}{said}.", code="provider_error", hint=later)


def body_message(body: object) -> str:
    """The message in an error body (``{"error": {"message"}}`` or ``{"message"}``), or the body itself."""
    if isinstance(body, list) and body and isinstance(body[0], Mapping):
        # as Google's servers wrap their errors
        return body_message(body[0])
    if isinstance(body, Mapping):
        inner = body.get("error") or body
        if isinstance(inner, Mapping) and isinstance(inner.get("message"), str):
            # OpenRouter puts the words of the provider behind it here.
            raw = shapes.text(inner, "metadata", "raw")
            return f"{inner['message']}: {raw}" if raw else str(inner["message"])
        return inner if isinstance(inner, str) else json.dumps(inner, default=str)
    return body if isinstance(body, str) else ""

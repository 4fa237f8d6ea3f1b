"""Turns a provider's error responses into errors that say whether a retry helps and what to do.

Codes are stable. Messages about a key are not repeated, since some contain the key.
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
from combine.llm.faults import Endpoint


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


_SPEND_LIMITS: Final = frozenset(
    {"enforced_spend_limit_reached", "contract_spend_limit_reached", "ramp_limit_exceeded"}
)
_EMPTY_ACCOUNTS: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_TOO_LONG: Final = re.compile(
    r"prompt is too long|context[ _](length|window|size)|maximum context|too many tokens", re.IGNORECASE
)
_SCHEMA: Final = re.compile(r"schema|compiled grammar|output_config|response_format|output_format", re.IGNORECASE)
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


def refused(endpoint: Endpoint, refusal: Refusal, now: datetime | None = None) -> LLMError:
    """The exception for an error response. ``now``: for a Retry-After given as a date (default: the clock)."""
    details: dict[str, Any] = {"status": refusal.status}
    if refusal.type:
        details["provider_type"] = refusal.type
    if refusal.code:
        details["provider_code"] = refusal.code
    if refusal.request_id:
        details["request_id"] = refusal.request_id
    wait = retry_after_s(refusal.headers or {}, now)
    if wait is not None:
        details["retry_after_s"] = wait
    found = _permanent(endpoint, refusal) or _transient(endpoint, refusal)
    found.details.update(details)
    return found


def _permanent(endpoint: Endpoint, refusal: Refusal) -> PermanentLLMError | None:
    named = {refusal.type, refusal.code}
    if named & _SPEND_LIMITS:
        return PermanentLLMError(
            f"The account at {endpoint.where()} has reached a spending limit.",
            code="spend_limit_reached",
            hint="Raise the limit in the provider's console or wait for the next period, then resume.",
        )
    if named & _EMPTY_ACCOUNTS or refusal.status == HTTPStatus.PAYMENT_REQUIRED:
        return PermanentLLMError(
            f"{endpoint.where()} requires payment: the account has no credit or no active billing.",
            code="billing_required",
            hint="Resolve it in the provider's console, then resume.",
        )
    known = _BY_STATUS.get(refusal.status)
    if known is not None:
        return known(endpoint, refusal)
    if 300 <= refusal.status < 500 and refusal.status not in _WORTH_RETRYING:  # noqa: PLR2004 - HTTP classes
        return _rejected(endpoint, refusal)
    return None


def _key_rejected(endpoint: Endpoint, refusal: Refusal) -> PermanentLLMError:
    del refusal
    return PermanentLLMError(
        f"{endpoint.where()} does not accept the API key.",
        code="api_key_rejected",
        hint=f"Check {endpoint.key_variable}: the key may be mistyped, revoked or from another provider.",
    )


def _forbidden(endpoint: Endpoint, refusal: Refusal) -> PermanentLLMError:
    return PermanentLLMError(
        f"{endpoint.where()} does not allow this key to use the model {refusal.model!r}.",
        code="permission_denied",
        hint="Grant the key access in the provider's console, or choose another model with --model.",
    )


def _not_found(endpoint: Endpoint, refusal: Refusal) -> PermanentLLMError:
    own = " and the end of the URL (often /v1)" if endpoint.base_url else ""
    check = f", or check {endpoint.base_url_variable}{own}" if endpoint.base_url else ""
    if not refusal.type and not refusal.code and "model" not in refusal.message.casefold():
        return PermanentLLMError(
            f"{endpoint.where()} did not find this URL (404).",
            code="endpoint_not_found",
            hint=f"Check {endpoint.base_url_variable}{own}.",
        )
    return PermanentLLMError(
        f"{endpoint.where()} has no model {refusal.model!r}: it is mistyped, retired or not available to this account.",
        code="model_not_found",
        hint=f"Choose another model with --model or COMBINE_LLM_DEFAULT_MODEL{check}.",
    )


def _too_large(endpoint: Endpoint, refusal: Refusal) -> PermanentLLMError:
    del refusal
    return PermanentLLMError(
        f"The request is too large for {endpoint.where()}.",
        code="request_too_large",
        hint="Shorten the brief, or choose a model with a larger context.",
    )


def _rejected(endpoint: Endpoint, refusal: Refusal) -> PermanentLLMError:
    said = endpoint.quote(refusal.message) or f"status {refusal.status}"
    if refusal.code in {"context_length_exceeded", "exceed_context_size_error"} or _TOO_LONG.search(refusal.message):
        return PermanentLLMError(
            f"The prompt is too long for the model {refusal.model!r} at {endpoint.where()}: {said}",
            code="prompt_too_long",
            hint="Shorten the brief, or choose a model with a larger context.",
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
        hint="The model may not support this request; choose another one with --model.",
    )


_BY_STATUS: Final = {401: _key_rejected, 403: _forbidden, 404: _not_found, 413: _too_large}
_WORTH_RETRYING: Final = frozenset({408, 409, 425, 429})


def _transient(endpoint: Endpoint, refusal: Refusal) -> TransientLLMError:
    where = endpoint.where()
    later = "Resume the execution later; completed work is saved."
    if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
        return TransientLLMError(
            f"{where} reports too many requests or tokens per minute.", code="rate_limited", hint=later
        )
    if refusal.status in {408, 504}:
        return TransientLLMError(f"{where} timed out ({refusal.status}).", code="provider_timeout", hint=later)
    if refusal.status in {503, 529} or refusal.type == "overloaded_error":
        return TransientLLMError(f"{where} is overloaded.", code="provider_overloaded", hint=later)
    said = endpoint.quote(refusal.message)
    text = f"{where} failed with status {refusal.status}{': ' + said if said else ''}."
    return TransientLLMError(text, code="provider_error", hint=later)


def body_message(body: object) -> str:
    """The message in an error body (``{"error": {"message"}}`` or ``{"message"}``), or the body itself."""
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        if isinstance(inner, Mapping) and isinstance(inner.get("message"), str):
            return str(inner["message"])
        return inner if isinstance(inner, str) else json.dumps(body, default=str)
    return body if isinstance(body, str) else ""

"""The error tree. Imports nothing of ours.

CombineError
├── Invalid              what was given cannot be used (wrong use, bad input)
│   └── DefinitionInvalid    a workflow definition with all its faults
├── NotFound             no such thing, or not visible to the caller
├── Conflict             the thing is in a state that does not allow this
├── NotSignedIn          nobody knows who the caller is
├── NotPermitted         the caller may not do this
├── Unavailable          something we depend on does not answer
│   └── DatabaseUnavailable
├── LLMError             a call to a language model did not give a usable reply
│   ├── TransientLLMError    may work later; the retry loop tries again
│   └── PermanentLLMError    will not work by trying again
├── OutputInvalid        a model's reply cannot become a document
└── OwnershipLost        another process owns this segment now; stop quietly

One class per decision a caller can make. The family decides the exit code
(``cli/exit_codes.py``); ``code`` is stable and names the exact case; ``hint`` is the next step
for the person. A class docstring is the default message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CombineError(Exception):
    """Something went wrong."""

    code = "error"

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        hint: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.message = message or (type(self).__doc__ or "").split("\n")[0]
        if code is not None:
            self.code = code
        self.hint = hint
        self.details = dict(details or {})
        super().__init__(self.message)


class Invalid(CombineError):
    """What was given cannot be used."""

    code = "invalid"


class DefinitionInvalid(Invalid):
    """The workflow definition has faults."""

    code = "definition_invalid"


class NotFound(CombineError):
    """There is no such thing."""

    code = "not_found"


class Conflict(CombineError):
    """The present state does not allow this."""

    code = "conflict"


class NotSignedIn(CombineError):
    """You are not signed in."""

    code = "not_signed_in"


class NotPermitted(CombineError):
    """You may not do this."""

    code = "not_permitted"


class Unavailable(CombineError):
    """Something we depend on does not answer."""

    code = "unavailable"


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached."""

    code = "database_unavailable"


class LLMError(CombineError):
    """The language model gave no usable reply."""

    code = "llm_error"


class TransientLLMError(LLMError):
    """The provider is in trouble; trying again later may work."""

    code = "llm_transient"


class PermanentLLMError(LLMError):
    """The provider refused; trying the same again will not work."""

    code = "llm_permanent"


class OutputInvalid(CombineError):
    """The reply cannot become a document."""

    code = "output_invalid"


class OwnershipLost(CombineError):
    """Another process owns this segment now."""

    code = "ownership_lost"


_WANTED = {
    "missing": "needed",
    "extra_forbidden": "there is no such field",
    "bool": "true or false is wanted",
    "int": "a whole number is wanted",
    "decimal": "a number is wanted, such as 2.50",
    "finite": "a number is wanted, such as 2.50",
    "dict": "a JSON object is wanted, {...}",
    "model": "a JSON object is wanted, {...}",
    "tuple": 'a JSON list is wanted, ["...", "..."]',
    "list": 'a JSON list is wanted, ["...", "..."]',
    "string": "a text is wanted",
    "time": "a duration is wanted: seconds, such as 30, or ISO 8601, such as PT5M",
}


def fault_in_words(kind: str, message: str, limits: Mapping[str, Any]) -> str:
    """What pydantic has found, for a person. ``kind``, ``message``, ``limits``: its ``type``, ``msg``, ``ctx``."""
    name = next((name for name in ("gt", "ge", "lt", "le") if name in limits), None)
    if name is not None:
        limit = limits[name]
        bound = "0 s" if "timedelta" in str(limit) else limit
        return f"it must be {({'gt': 'above', 'ge': 'at least', 'lt': 'below', 'le': 'at most'})[name]} {bound}"
    if kind == "literal_error":
        return f"it must be {limits['expected']}"
    if kind == "string_too_short":
        least = limits["min_length"]
        return "it must not be empty" if least == 1 else f"it must have at least {least} characters"
    if kind == "string_too_long":
        return f"it must have at most {limits['max_length']} characters"
    if kind == "decimal_max_places":
        return f"it must have no more than {limits['decimal_places']} decimal places"
    wanted = _WANTED.get(kind) or _WANTED.get(kind.partition("_")[0])
    return wanted if wanted and kind != "value_error" else message.removeprefix("Value error, ")

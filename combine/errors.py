"""The error tree. Imports nothing of ours.

CombineError
├── Invalid              invalid input or wrong use
│   └── DefinitionInvalid    a workflow definition, with all its faults
├── NotFound             does not exist, or is not visible to the caller
├── Conflict             the current state does not allow this
├── NotSignedIn          the caller is not authenticated
├── NotPermitted         the caller is not allowed to do this
├── Unavailable          a dependency does not respond
│   └── DatabaseUnavailable
├── LLMError             a call to a language model gave no usable reply
│   ├── TransientLLMError    may succeed later; the retry loop tries again
│   └── PermanentLLMError    will not succeed by trying again
└── OwnershipLost        another process owns this segment now; stop quietly

One class for each decision that a caller can make. The family decides the exit code
(``cli/exit_codes.py``); ``code`` is stable and names the exact case; ``hint`` is the next step
for the person. The first line of a class docstring is the default message.
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
    """Invalid input."""

    code = "invalid"


class DefinitionInvalid(Invalid):
    """The workflow definition is invalid."""

    code = "definition_invalid"


class NotFound(CombineError):
    """Not found."""

    code = "not_found"


class Conflict(CombineError):
    """The current state does not allow this."""

    code = "conflict"


class NotSignedIn(CombineError):
    """You are not signed in."""

    code = "not_signed_in"


class NotPermitted(CombineError):
    """You are not allowed to do this."""

    code = "not_permitted"


class Unavailable(CombineError):
    """A required service is unavailable."""

    code = "unavailable"


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached."""

    code = "database_unavailable"


class LLMError(CombineError):
    """The language model gave no usable reply."""

    code = "llm_error"


class TransientLLMError(LLMError):
    """The provider is having problems; try again later."""

    code = "llm_transient"


class PermanentLLMError(LLMError):
    """The provider rejected the request; trying again will not help."""

    code = "llm_permanent"


class OwnershipLost(CombineError):
    """Another process owns this segment now."""

    code = "ownership_lost"

"""The interface between language models and the rest of the program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from combine.records import Usage


class StopReason(StrEnum):
    """Why the model stopped, the same for all providers."""

    END = "end"
    MAX_TOKENS = "max_tokens"
    REFUSAL = "refusal"
    CONTEXT_EXCEEDED = "context_exceeded"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class LLMRequest:
    """One request, independent of the provider. Providers send nothing else."""

    model: str
    """The provider's own model id; empty for ``offline``."""
    system: str
    """House rules, role and per-model suffix."""
    prefix: str
    """User content that is identical for all calls of one step: brief, answers, upstream documents."""
    task: str
    """The rest of the user content: the task, and on repair the draft and the findings."""
    schema: Mapping[str, Any]
    """JSON Schema of the reply, already within the providers' limits (``workflows/provider_schema.py``)."""
    schema_name: str
    """A short name for it (letters, digits, ``-`` and ``_``)."""
    max_output_tokens: int
    attempts_before: int = 0
    """Attempts of earlier calls with this request, which count against the limit of retries."""
    cache: bool = True
    """Mark the end of ``prefix`` as a cache breakpoint if the provider supports it."""


@dataclass(frozen=True, slots=True)
class LLMReply:
    """A reply. ``text`` is raw and unparsed."""

    text: str
    stop_reason: StopReason
    usage: Usage
    model: str
    """The model that replied, as named by the provider."""
    request_id: str | None = None
    attempts: int = 1
    """Transport attempts, including the successful one."""
    detail: str | None = None
    """The provider's text on a refusal or an unusual stop."""


def text_of(parts: Iterable[str]) -> str:
    """The streamed parts joined; surrogate halves split between two parts are combined."""
    return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a streaming reply. Output tokens are an estimate until the reply ends."""

    output_tokens: int
    attempt: int = 1
    waiting_s: float | None = None
    """Set while the retry loop waits before its next attempt."""
    reason: str | None = None
    """Why it waits."""
    usage: Usage | None = None
    """Set when the call is cancelled: the known usage of all its attempts."""


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """What ``combine doctor`` shows for a provider; checked without spending."""

    name: str
    ok: bool
    message: str


class LLMProvider(Protocol):
    """A language model provider."""

    name: str
    """``anthropic``, ``openai``, ``offline`` or ``scripted``."""

    async def complete(self, request: LLMRequest, on_progress: OnProgress | None = None) -> LLMReply:
        """Send and wait for the complete reply. Raises TransientLLMError (after its retries) or PermanentLLMError."""
        ...

    async def check(self) -> ProviderHealth:
        """Check that the provider can be reached with these settings, without spending."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True)
class Price:
    """The cost of some usage. None: unknown, which is not 0."""

    usd: Decimal | None
    source: str
    """``genai-prices 0.2.3``, ``settings``, ``free`` or ``unknown``."""

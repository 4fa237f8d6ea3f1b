"""What the rest of the program knows of a language model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol


class StopReason(StrEnum):
    """Why the model stopped, in one vocabulary for all providers."""

    END = "end"
    MAX_TOKENS = "max_tokens"
    REFUSAL = "refusal"
    CONTEXT_EXCEEDED = "context_exceeded"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class LLMRequest:
    """One request, independent of the provider. Everything a provider sends comes from here."""

    model: str
    """The provider's own model id; empty for ``offline``."""
    system: str
    """House rules, role and per-model suffix."""
    prefix: str
    """User content that is byte-stable over the calls of one step: brief, answers, upstream documents."""
    task: str
    """The rest of the user content: the task, and on repair the draft and the findings."""
    schema: Mapping[str, Any]
    """JSON Schema of the reply, already within the providers' limits (``workflows/provider_schema.py``)."""
    schema_name: str
    """A short name for it (letters, digits, ``-`` and ``_``)."""
    max_output_tokens: int
    cache: bool = True
    """Mark the end of ``prefix`` as a cache breakpoint where the provider has such a thing."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, over all its transport attempts. The four counts do not overlap."""

    input_tokens: int = 0
    """Input neither read from nor written to a cache."""
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
        )


@dataclass(frozen=True, slots=True)
class LLMReply:
    """What came back. ``text`` is raw: nothing has parsed it."""

    text: str
    stop_reason: StopReason
    usage: Usage
    model: str
    """The model that answered, as the provider names it."""
    request_id: str | None = None
    attempts: int = 1
    """Transport attempts, the successful one included."""
    detail: str | None = None
    """The provider's own word on a refusal or an unusual stop."""


def text_of(parts: Iterable[str]) -> str:
    """What was streamed, in one; a character whose two halves came in two parts is one again."""
    return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a streaming reply is. Output tokens are an estimate until the reply ends."""

    output_tokens: int
    attempt: int = 1
    waiting_s: float | None = None
    """Set while the retry loop waits before its next attempt."""
    reason: str | None = None
    """Why it waits."""
    usage: Usage | None = None
    """Set when the call is cancelled: what all its attempts have used, as far as is known."""


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """What ``combine doctor`` shows of a provider, found without spending."""

    name: str
    ok: bool
    message: str


class LLMProvider(Protocol):
    """A language model behind one method."""

    name: str
    """``anthropic``, ``openai``, ``offline`` or ``scripted``."""

    async def complete(self, request: LLMRequest, on_progress: OnProgress | None = None) -> LLMReply:
        """Send and wait for the whole reply. Raises TransientLLMError (after its retries) or PermanentLLMError."""
        ...

    async def check(self) -> ProviderHealth:
        """Whether the provider can be reached with these settings, without spending."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True)
class Price:
    """Cost of some usage. None means unknown, which is never zero."""

    usd: Decimal | None
    source: str
    """``genai-prices 0.2.3``, ``settings``, ``free`` or ``unknown``."""

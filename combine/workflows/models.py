"""Which model: ``PROVIDER:MODEL`` as people write it, and the ids that providers have retired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from combine.errors import Invalid

PROVIDERS: Final = ("anthropic", "openai", "offline", "scripted")
_WITHOUT_MODEL: Final = frozenset({"offline", "scripted"})


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A provider and the id it knows the model by; ``model`` is empty for ``offline`` and ``scripted``."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}" if self.model else self.provider

    @classmethod
    def stored(cls, text: str) -> ModelRef:
        """From its own ``str()``, without looking whether the model has been retired since."""
        provider, _, model = text.partition(":")
        return cls(provider, model)


@dataclass(frozen=True, slots=True)
class Retirement:
    """When an Anthropic model id is retired, and which one to use instead."""

    day: date
    successor: str


_SONNET: Final = "claude-sonnet-5-5"
_HAIKU: Final = "claude-haiku-5-5"
_OPUS: Final = "claude-opus-5-5"
_MYTHOS: Final = "claude-mythos-5-2"

RETIREMENTS: Final[dict[str, Retirement]] = {
    "claude-1.3": Retirement(date(2024, 11, 6), _SONNET),
    "claude-1.3-100k": Retirement(date(2024, 11, 6), _SONNET),
    "claude-instant-1.1": Retirement(date(2024, 11, 6), _HAIKU),
    "claude-instant-1.1-100k": Retirement(date(2024, 11, 6), _HAIKU),
    "claude-instant-1.2": Retirement(date(2024, 11, 6), _HAIKU),
    "claude-2.0": Retirement(date(2025, 7, 21), _SONNET),
    "claude-2.1": Retirement(date(2025, 7, 21), _SONNET),
    "claude-3-sonnet-20240229": Retirement(date(2025, 7, 21), _SONNET),
    "claude-3-5-sonnet-20240620": Retirement(date(2025, 10, 22), _SONNET),
    "claude-3-opus-20240229": Retirement(date(2026, 1, 5), _OPUS),
    "claude-3-7-sonnet-latest": Retirement(date(2026, 2, 19), _SONNET),
    "claude-3-7-sonnet-20250219": Retirement(date(2026, 2, 19), _SONNET),
    "claude-3-5-haiku-latest": Retirement(date(2026, 2, 19), _HAIKU),
    "claude-3-5-haiku-20241022": Retirement(date(2026, 2, 19), _HAIKU),
    "claude-opus-4-0": Retirement(date(2026, 6, 15), _OPUS),
    "claude-opus-4-20250514": Retirement(date(2026, 6, 15), _OPUS),
    "claude-sonnet-4-0": Retirement(date(2026, 6, 15), _SONNET),
    "claude-sonnet-4-20250514": Retirement(date(2026, 6, 15), _SONNET),
    "claude-mythos-preview": Retirement(date(2026, 6, 30), _MYTHOS),
    "claude-sonnet-4-5": Retirement(date(2026, 11, 30), _SONNET),
    "claude-sonnet-4-5-20250929": Retirement(date(2026, 11, 30), _SONNET),
}
"""What the Anthropic SDK lists as deprecated, with a successor each; a test compares the two."""


def parse_model(text: str, *, today: date | None = None) -> tuple[ModelRef, str | None]:
    """The model that ``text`` names, and a warning for the person if it is not the one they wrote.

    A bare id means ``anthropic:``. The model may hold colons itself (``openai:qwen2.5:7b``). Anthropic ids retired on
    or before ``today`` (default: the current day, UTC) become their successor. Raises Invalid: ``provider_unknown``,
    ``model_missing``, ``model_unexpected``, or ``model_malformed`` for spaces inside.
    """
    given = text.strip()
    if not given:
        raise Invalid("No model specified.", code="model_missing", hint=_how_to_write())
    if any(character.isspace() for character in given):
        raise Invalid(
            f"{given!r} is not a valid model: it contains spaces.", code="model_malformed", hint=_how_to_write()
        )
    provider, colon, model = given.partition(":")
    if not colon:
        lone = given.casefold()
        return (ModelRef(lone, ""), None) if lone in _WITHOUT_MODEL else _bare(given, today)
    return _qualified(provider.casefold(), model, given, today)


def _bare(model: str, today: date | None) -> tuple[ModelRef, str | None]:
    if model.casefold() in PROVIDERS:
        raise _model_missing(model.casefold())
    if not model.startswith("claude"):
        warning = (
            f"{model!r} has no provider and is assumed to be an Anthropic model; "
            f"use openai:{model} for OpenAI or a compatible server."
        )
        return ModelRef("anthropic", model), warning
    return _current(model, today)


def _qualified(provider: str, model: str, given: str, today: date | None) -> tuple[ModelRef, str | None]:
    if provider not in PROVIDERS:
        raise Invalid(
            f"{provider!r} is not a known provider.",
            code="provider_unknown",
            hint=f"{_how_to_write()} For Ollama, vLLM, LM Studio or llama.cpp set COMBINE_OPENAI_BASE_URL "
            f"and use openai:{given if provider else model}.",
            details={"known": list(PROVIDERS)},
        )
    if provider in _WITHOUT_MODEL:
        if model:
            raise Invalid(
                f"The provider {provider!r} does not take a model name.",
                code="model_unexpected",
                hint=f"Use just {provider}.",
            )
        return ModelRef(provider, ""), None
    if not model:
        raise _model_missing(provider)
    return _current(model, today) if provider == "anthropic" else (ModelRef(provider, model), None)


def _current(model: str, today: date | None) -> tuple[ModelRef, str | None]:
    retirement = RETIREMENTS.get(model)
    if retirement is None:
        return ModelRef("anthropic", model), None
    if (today or datetime.now(UTC).date()) < retirement.day:
        warning = f"{model} will be retired on {retirement.day}; plan to use {retirement.successor}."
        return ModelRef("anthropic", model), warning
    warning = (
        f"{model} was retired on {retirement.day} and is no longer available; {retirement.successor} is used instead. "
        f"To silence this warning, set it with COMBINE_LLM_DEFAULT_MODEL or --model."
    )
    return ModelRef("anthropic", retirement.successor), warning


def _model_missing(provider: str) -> Invalid:
    return Invalid(f"The provider {provider!r} requires a model.", code="model_missing", hint=_how_to_write())


def _how_to_write() -> str:
    return "Use PROVIDER:MODEL, for example anthropic:claude-sonnet-5-5 or openai:gpt-5, or offline to use no model."

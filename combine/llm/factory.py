"""Creates the provider for a model name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from combine.errors import Invalid, PermanentLLMError
from combine.llm.pricing import ModelPrice, Pricing
from combine.llm.protocol import LLMProvider
from combine.llm.retry import RetryPolicy
from combine.workflows.models import PROVIDERS, ModelRef, parse_model

__all__ = ["LLMConfig", "ModelPrice", "ModelRef", "ProviderFactory", "parse_model"]

_AROUND_A_KEY: Final = " \t\r\n\u00a0\ufeff\"'`"


@dataclass(frozen=True, slots=True)
class LLMConfig:
    """The provider settings as plain values. Durations in seconds."""

    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str | None = None
    openai_api_key: SecretStr | None = None
    openai_base_url: str | None = None
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 120.0
    max_retries: int = 3
    retry_after_cap_s: float = 60.0
    enable_caching: bool = True
    prices: Mapping[str, ModelPrice] = field(default_factory=dict)
    scripted_file: Path | None = None

    def pricing(self) -> Pricing:
        """The prices for these providers."""
        return Pricing(self.prices, openai_base_url=self.openai_base_url)


class ProviderFactory:
    """Builds each provider once, on first use: loading an SDK takes one to three seconds."""

    def __init__(self, config: LLMConfig, others: Mapping[str, Callable[[], LLMProvider]] | None = None) -> None:
        """``others``: name -> how to build it, for providers that do not call a language model."""
        self._config = config
        self._others = others or {}
        self._built: dict[str, LLMProvider] = {}

    def provider(self, ref: ModelRef) -> LLMProvider:
        """The provider of ``ref``.

        Raises PermanentLLMError (``api_key_missing``, ``api_key_invalid``, ``base_url_invalid``,
        ``certificates_unreadable``, ``proxy_invalid``, ``script_missing``) or Invalid when the settings do not allow
        it; a missing key never selects another provider.
        """
        built = self._built.get(ref.provider)
        if built is None:
            built = self._built[ref.provider] = self._build(ref.provider)
        return built

    async def close(self) -> None:
        """Close all connections. The factory can be used again and rebuilds them."""
        built, self._built = self._built, {}
        for provider in built.values():
            await provider.close()

    def _build(self, name: str) -> LLMProvider:
        match name:
            case "anthropic":
                return self._anthropic()
            case "openai":
                return self._openai()
            case "scripted":
                return self._scripted()
            case _ if name in self._others:
                return self._others[name]()
        raise Invalid(
            f"{name!r} is not a provider.", code="provider_unknown", hint=f"Known providers: {', '.join(PROVIDERS)}."
        )

    def _policy(self) -> RetryPolicy:
        return RetryPolicy(max_retries=self._config.max_retries, retry_after_cap_s=self._config.retry_after_cap_s)

    def _anthropic(self) -> LLMProvider:
        key = _plain(self._config.anthropic_api_key)
        if key is None:
            raise _key_missing("Anthropic", "ANTHROPIC_API_KEY")
        # Not at the top: users of another provider should not wait for this SDK.
        from combine.llm.anthropic import AnthropicProvider  # noqa: PLC0415

        return AnthropicProvider(
            api_key=key,
            base_url=self._config.anthropic_base_url,
            connect_timeout=self._config.connect_timeout_s,
            read_timeout=self._config.read_timeout_s,
            enable_caching=self._config.enable_caching,
            policy=self._policy(),
        )

    def _openai(self) -> LLMProvider:
        key = _plain(self._config.openai_api_key)
        if key is None and not self._config.openai_base_url:
            raise _key_missing("OpenAI", "OPENAI_API_KEY", " For a local server set OPENAI_BASE_URL; it needs no key.")
        from combine.llm.openai import OpenAIProvider  # noqa: PLC0415 - as above

        return OpenAIProvider(
            api_key=key,
            base_url=self._config.openai_base_url,
            connect_timeout=self._config.connect_timeout_s,
            read_timeout=self._config.read_timeout_s,
            policy=self._policy(),
        )

    def _scripted(self) -> LLMProvider:
        path = self._config.scripted_file
        if path is None:
            raise PermanentLLMError(
                "The scripted provider has no script.",
                code="script_missing",
                hint="Set COMBINE_SCRIPTED_FILE to a YAML or JSON file with replies.",
            )
        from combine.llm.script_file import load_script  # noqa: PLC0415 - only tests and demonstrations need it
        from combine.llm.scripted import ScriptedProvider  # noqa: PLC0415 - as above

        return ScriptedProvider(load_script(path), origin=str(path))


def _plain(secret: SecretStr | None) -> str | None:
    """The key without what is often pasted around it: blanks, quotes, a byte order mark."""
    return (secret.get_secret_value().strip(_AROUND_A_KEY) or None) if secret is not None else None


def _key_missing(name: str, variable: str, more: str = "") -> PermanentLLMError:
    return PermanentLLMError(
        f"No API key for {name} is set.",
        code="api_key_missing",
        hint=f"Set {variable}, or use --model offline to draft without a language model.{more}",
    )

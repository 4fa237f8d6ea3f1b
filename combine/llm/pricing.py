"""Computes the cost of token usage. The price list ships with a package, so nothing is fetched."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from combine.llm.protocol import Price
from combine.records import Usage
from combine.workflows.models import ModelRef

FREE_PROVIDERS: Final = frozenset({"offline", "scripted"})
UNKNOWN: Final = Price(None, "unknown")
FREE: Final = Price(Decimal(0), "free")

WORST_CASE_CHARACTERS_PER_TOKEN: Final = 2.0
"""A low figure, so that the estimate comes out high: English, German and JSON take 2.5 to 4 characters per token."""

_PER_MILLION: Final = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """USD per million tokens, from the settings."""

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    """None: same as ``input``."""
    cache_write: Decimal | None = None
    """None: same as ``input``."""

    def of(self, usage: Usage) -> Decimal:
        """The cost of ``usage`` in USD."""
        read = self.input if self.cache_read is None else self.cache_read
        write = self.input if self.cache_write is None else self.cache_write
        total = (
            self.input * usage.input_tokens
            + self.output * usage.output_tokens
            + read * usage.cache_read_tokens
            + write * usage.cache_write_tokens
        )
        return total / _PER_MILLION


class Pricing:
    """Prices of models, first from ``overrides``, then from the list in ``genai-prices``.

    ``overrides`` are keyed by ``provider:model`` or by the bare model id. An ``openai`` model behind a base URL that
    the list does not know (a local server, a gateway) has no price: its name does not tell who charges for it.
    An ``anthropic`` model has Anthropic's price, also behind a gateway.
    """

    def __init__(self, overrides: Mapping[str, ModelPrice], *, openai_base_url: str | None = None) -> None:
        self._overrides = dict(overrides)
        self._openai_base_url = openai_base_url

    def price(self, ref: ModelRef, usage: Usage) -> Price:
        """The cost of ``usage``; ``usd`` is None if the model is not listed; never a guess, never an error."""
        override = self._overrides.get(str(ref)) or self._overrides.get(ref.model)
        if override is not None:
            return Price(override.of(usage), "settings")
        if ref.provider in FREE_PROVIDERS:
            return FREE
        return self._listed(ref, usage)

    def worst_case(self, ref: ModelRef, input_chars: int, max_output_tokens: int) -> Price:
        """An upper bound for the cost of one call, to reserve before it is sent.

        Assumes that the whole output limit is used and, where that costs more, that the whole input is written to the
        cache, at one token per two characters. Chinese, Japanese or Korean text can take more than one token per
        character: pass the length in UTF-8 bytes for it. Transport retries are not included.
        """
        tokens = math.ceil(input_chars / WORST_CASE_CHARACTERS_PER_TOKEN)
        plain = self.price(ref, Usage(input_tokens=tokens, output_tokens=max_output_tokens))
        cached = self.price(ref, Usage(cache_write_tokens=tokens, output_tokens=max_output_tokens))
        if plain.usd is None or cached.usd is None:
            return UNKNOWN
        return plain if plain.usd >= cached.usd else cached

    def _listed(self, ref: ModelRef, usage: Usage) -> Price:
        # Loading the list takes 0.2 s, which `combine --help` and offline runs should avoid.
        import genai_prices  # noqa: PLC0415

        counted = genai_prices.Usage(
            # genai-prices expects the total here, including cached tokens.
            input_tokens=usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            output_tokens=usage.output_tokens,
        )
        try:
            if ref.provider == "openai" and self._openai_base_url:
                found = genai_prices.calc_price(counted, ref.model, provider_api_url=self._openai_base_url)
            else:
                found = genai_prices.calc_price(counted, ref.model, provider_id=ref.provider)
        except LookupError:
            return UNKNOWN
        return Price(found.total_price, f"genai-prices {genai_prices.__version__}")

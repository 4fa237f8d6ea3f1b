"""What an execution may cost, in words; and ``combine run --estimate``."""

from __future__ import annotations

from dataclasses import asdict

from combine.cli.exit_codes import ExitCode
from combine.cli.inputs import read_brief
from combine.cli.looking import as_json
from combine.cli.places import the_place
from combine.cli.runtime import put
from combine.cli.wording import count, usd
from combine.services.estimates import EstimateView, Range


async def estimate_only(brief_path: str, workflow: str, model: str | None, *, json: bool) -> int:
    """Say what the execution may cost, and begin nothing."""
    place = the_place()
    brief = read_brief(brief_path)
    wanted = place.model_for(model)
    async with place.reading() as reading:
        found = await reading.estimates.estimate(brief, workflow, wanted)
    put(as_json(asdict(found)) if json else in_words(found))
    return ExitCode.COMPLETED


def in_words(found: EstimateView) -> str:
    """One line."""
    if not found.uses_model:
        return "Estimate: 0 USD: no language model"
    return (
        f"Estimate: {_tokens(found.input_tokens)} tokens in, {_tokens(found.output_tokens)} out; {_money(found)} "
        f"({_basis(found)})"
    )


def _tokens(tokens: Range) -> str:
    return f"{tokens.low:,}" if tokens.low == tokens.high else f"{tokens.low:,} to {tokens.high:,}"


def _money(found: EstimateView) -> str:
    if found.usd is None:
        return usd(None)
    if found.usd.low == found.usd.high:
        return usd(found.usd.high)
    return f"{usd(found.usd.low).removesuffix(' USD')} to {usd(found.usd.high)}"


def _basis(found: EstimateView) -> str:
    if found.characters_per_token is None:
        return f"from {count(found.earlier_executions, 'earlier execution')}"
    most, fewest = found.characters_per_token
    return f"no history: approximation, {fewest:g} to {most:g} characters per token"

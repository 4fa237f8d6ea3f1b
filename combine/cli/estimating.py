"""What an execution may cost, in words; and ``combine run --estimate``."""

from __future__ import annotations

from dataclasses import asdict

from combine.bootstrap import open_reading
from combine.cli.exit_codes import ExitCode
from combine.cli.inputs import read_brief
from combine.cli.looking import as_json
from combine.cli.runtime import prepare, put, say
from combine.cli.wording import count, usd
from combine.llm.models import parse_model
from combine.services.estimates import EstimateView, Range


async def estimate_only(brief_path: str, workflow: str, model: str | None, *, json: bool) -> int:
    """Say what the execution may cost, and begin nothing."""
    settings = prepare()
    brief = read_brief(brief_path)
    wanted = model or settings.llm_default_model
    _, warning = parse_model(wanted)
    if warning is not None:
        say(f"Warning: {warning}")
    async with open_reading(settings, say) as reading:
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

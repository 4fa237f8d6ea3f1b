"""Estimates the usage and cost of an execution before it starts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from combine.auth.permissions import Actor
from combine.brief.brief import Brief
from combine.llm.pricing import Pricing
from combine.prompts.builder import PromptBuilder, PromptInput
from combine.records import Usage
from combine.services.access import Access
from combine.services.views import EstimateView, Range, UsdRange
from combine.storage.core.database import Database
from combine.storage.history import History, StepHistory
from combine.workflows.catalog import Catalog
from combine.workflows.definitions import StepDefinition, WorkflowDefinition
from combine.workflows.models import ModelRef, parse_model

MANY_CHARACTERS_PER_TOKEN: Final = 4.0
FEW_CHARACTERS_PER_TOKEN: Final = 2.5
"""English text is close to the first figure, German and JSON to the second."""
SHORT_DOCUMENT_TOKENS: Final = 1_500
LONG_DOCUMENT_TOKENS: Final = 10_000
"""What a model writes for one document, including its thinking."""


@dataclass(frozen=True, slots=True)
class _StepEstimate:
    model: ModelRef
    low: Usage
    high: Usage


class EstimateService:
    """Renders prompts and reads the ledger; calls nothing."""

    def __init__(
        self, database: Database, catalog: Catalog, pricing: Pricing, max_output_tokens: int, *, actor: Actor
    ) -> None:
        self._database = database
        self._access = Access(actor)
        self._catalog = catalog
        self._prompts = PromptBuilder(catalog)
        self._pricing = pricing
        self._max_output_tokens = max_output_tokens

    async def estimate(self, brief: Brief, workflow_id: str, model: str) -> EstimateView:
        """A range for one execution; ``model`` as entered by the user.

        Raises NotFound for an unknown workflow, Invalid for an unknown model.
        """
        workflow = self._catalog.workflow(workflow_id)
        default, _ = parse_model(model)
        models = {step.step_id: parse_model(step.model)[0] if step.model else default for step in workflow.steps}
        async with self._database.read() as session:
            history = await History(session).steps(workflow_id, str(default), self._access.visibility)
        known = min((history[name].executions if name in history else 0 for name in models), default=0)
        if known:
            steps = [_from_history(models[step.step_id], history[step.step_id]) for step in workflow.steps]
        else:  # outside the event loop, as a long brief makes long prompts
            steps = await asyncio.to_thread(
                lambda: [self._approximate(workflow, step, models[step.step_id], brief) for step in workflow.steps]
            )
        return EstimateView(
            workflow=workflow_id,
            model=str(default),
            uses_model=any(ref.provider != "offline" for ref in models.values()),
            input_tokens=Range(sum(_input(one.low) for one in steps), sum(_input(one.high) for one in steps)),
            output_tokens=Range(
                sum(one.low.output_tokens for one in steps), sum(one.high.output_tokens for one in steps)
            ),
            usd=self._usd(steps),
            earlier_executions=known,
            characters_per_token=None if known else (MANY_CHARACTERS_PER_TOKEN, FEW_CHARACTERS_PER_TOKEN),
        )

    def _approximate(
        self, workflow: WorkflowDefinition, step: StepDefinition, ref: ModelRef, brief: Brief
    ) -> _StepEstimate:
        """From the prompt as it would be sent, without the documents that are not written yet.

        Low: one call, short documents. High: long documents, and a second call to repair the draft.
        """
        if ref.provider == "offline":
            return _StepEstimate(ref, Usage(), Usage())
        prompt = self._prompts.build(
            PromptInput(workflow.workflow_id, step, str(ref), brief, ask=step.allow_clarification)
        )
        characters = sum(map(len, (prompt.system, prompt.prefix, prompt.task)))
        characters += self._catalog.reply_schema_size(step.output, ask=step.allow_clarification)
        limit = step.max_output_tokens or self._max_output_tokens
        short, long = min(SHORT_DOCUMENT_TOKENS, limit), min(LONG_DOCUMENT_TOKENS, limit)
        first = round(characters / FEW_CHARACTERS_PER_TOKEN) + len(step.inputs) * LONG_DOCUMENT_TOKENS
        least = round(characters / MANY_CHARACTERS_PER_TOKEN) + len(step.inputs) * SHORT_DOCUMENT_TOKENS
        return _StepEstimate(
            ref,
            Usage(input_tokens=least, output_tokens=short),
            Usage(input_tokens=2 * first + long, output_tokens=2 * long),
        )

    def _usd(self, steps: Iterable[_StepEstimate]) -> UsdRange | None:
        low = high = Decimal(0)
        for one in steps:
            least, most = self._pricing.price(one.model, one.low).usd, self._pricing.price(one.model, one.high).usd
            if least is None or most is None:
                return None
            low, high = low + least, high + most
        return UsdRange(low, high)


def _from_history(ref: ModelRef, history: StepHistory) -> _StepEstimate:
    return _StepEstimate(ref, history.median, history.highest)


def _input(usage: Usage) -> int:
    return usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens

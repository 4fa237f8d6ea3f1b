"""What caps require of a start or a resume: a price for every model, or permission to run without one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from combine.errors import Invalid
from combine.execution.budgets import CODES as CODES  # noqa: PLC0414 - re-exported for the services
from combine.execution.budgets import PRICE_UNKNOWN, cap_name
from combine.llm.pricing import Pricing
from combine.records import Usage
from combine.storage.core.database import WriteSession
from combine.storage.events import Events
from combine.storage.hot.caps import CapKind
from combine.workflows.definitions import WorkflowDefinition
from combine.workflows.models import ModelRef, parse_model


@dataclass(frozen=True, slots=True)
class Spending:
    """Prices and the daily cap."""

    pricing: Pricing
    daily_budget_usd: Decimal | None

    def unpriced(self, default_model: str, workflow: WorkflowDefinition) -> tuple[ModelRef, ...]:
        """The models of a workflow whose price is unknown. Raises Invalid for an unknown model."""
        names = [step.model or default_model for step in workflow.steps]
        names += [step.fallback_model for step in workflow.steps if step.fallback_model]
        refs = dict.fromkeys(parse_model(name)[0] for name in names)
        return tuple(ref for ref in refs if self.pricing.price(ref, Usage(input_tokens=1)).usd is None)

    def refuse_under_a_cap(
        self,
        unpriced: tuple[ModelRef, ...],
        budget_usd: Decimal | None,
        project: str,
        project_budget_usd: Decimal | None,
    ) -> None:
        """Raises Invalid if a cap of any kind applies."""
        caps = {
            CapKind.EXECUTION: budget_usd,
            CapKind.PROJECT: project_budget_usd,
            CapKind.DAY: self.daily_budget_usd,
        }
        for kind, cap in caps.items():
            if cap is not None:
                ref = unpriced[0]
                raise Invalid(
                    f"The price of {ref} is unknown, so {cap_name(kind, project)} cannot be enforced.",
                    code=PRICE_UNKNOWN,
                    hint=f'Set it, e.g. COMBINE_LLM_PRICES=\'{{"{ref.model}": {{"input": 1, "output": 5}}}}\' '
                    "(USD per million tokens), or run without a cap with --allow-unpriced.",
                )


async def say_unpriced(session: WriteSession, execution_id: UUID, unpriced: tuple[ModelRef, ...]) -> None:
    """The event that lists the models that run outside every cap."""
    if unpriced:
        await Events(session).append(execution_id, "unpriced_allowed", data={"models": [str(ref) for ref in unpriced]})

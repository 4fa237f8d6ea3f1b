"""Valid budgets and valid costs of a call, checked the same way everywhere."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from combine.errors import Invalid

MOST_USD: Final = 9_999_999
USD_PLACES: Final = 6
"""Decimal places stored in the database."""
SMALLEST_USD: Final = Decimal(1).scaleb(-USD_PLACES)


def usd_text(usd: Decimal) -> str:
    """An amount as the API writes it: with all decimal places that are stored."""
    return f"{usd:.{USD_PLACES}f}"


def check_budget(budget_usd: Decimal | None) -> None:
    """Raises Invalid for an amount that cannot be stored exactly."""
    if budget_usd is None:
        return
    if not _is_kept(budget_usd) or budget_usd == 0:
        raise Invalid(
            f"A budget must be greater than 0 and at most {MOST_USD} USD, with at most {USD_PLACES} decimal places.",
            code="budget_invalid",
        )


def check_cost(cost_usd: Decimal) -> None:
    """Raises Invalid for an amount that cannot be stored as the cost of a call; 0 is valid."""
    if not _is_kept(cost_usd):
        raise Invalid(
            f"A cost must be between 0 and {MOST_USD} USD, with at most {USD_PLACES} decimal places.",
            code="cost_invalid",
        )


def _is_kept(usd: Decimal) -> bool:
    return usd.is_finite() and 0 <= usd <= MOST_USD and usd == usd.quantize(SMALLEST_USD)

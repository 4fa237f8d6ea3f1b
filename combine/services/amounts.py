"""What a budget may be: the same wherever one is given."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from combine.errors import Invalid

MOST_USD: Final = 9_999_999
USD_PLACES: Final = 6
"""As many decimal places as the database keeps."""
SMALLEST_USD: Final = Decimal(1).scaleb(-USD_PLACES)


def check_budget(budget_usd: Decimal | None) -> None:
    """Raises Invalid for an amount that cannot be kept as it is given."""
    if budget_usd is None:
        return
    fits = budget_usd.is_finite() and 0 < budget_usd <= MOST_USD
    if not fits or budget_usd != budget_usd.quantize(SMALLEST_USD):
        raise Invalid(
            f"A budget is an amount above 0 USD, at most {MOST_USD}, with no more than {USD_PLACES} decimal places.",
            code="budget_invalid",
        )

"""What is said when a cap stops a step."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from combine.storage.hot.caps import Cap, CapKind

CODES: Final[Mapping[CapKind, str]] = MappingProxyType(
    {
        CapKind.EXECUTION: "budget_reached",
        CapKind.PROJECT: "project_budget_reached",
        CapKind.DAY: "daily_budget_reached",
    }
)
PRICE_UNKNOWN: Final = "price_unknown"


def named(kind: CapKind, project: str) -> str:
    """A cap as a person calls it."""
    names = {
        CapKind.EXECUTION: "the execution's cap",
        CapKind.PROJECT: f"the cap of project {project!r}",
        CapKind.DAY: "the day's cap (UTC)",
    }
    return names[kind]


def no_room(cap: Cap, worst_usd: Decimal) -> str:
    """Why a call of known worst case did not leave."""
    told = f"The next call can cost up to {worst_usd:f} USD and could pass {named(cap.kind, cap.project)}"
    if cap.kind is CapKind.DAY:  # what the others of the installation have spent is not for everybody to read
        return f"{told}: {cap.budget_usd:f} USD."
    return f"{told}: {cap.budget_usd:f} USD, of which {cap.spent_usd:f} are spent and {cap.reserved_usd:f} reserved."


def no_price(cap: Cap, model: str) -> str:
    """Why a call of unknown price did not leave."""
    return (
        f"The price of {model.removesuffix(':')} is not known, so {named(cap.kind, cap.project)} cannot be kept. "
        "Declare it with COMBINE_LLM_PRICES, or allow it."
    )

"""The reasons given when a cap stops a step."""

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


def cap_name(kind: CapKind, project: str) -> str:
    """The name of a cap in messages."""
    names = {
        CapKind.EXECUTION: "the execution's cap",
        CapKind.PROJECT: f"the cap of project {project!r}",
        CapKind.DAY: "the daily cap (UTC)",
    }
    return names[kind]


def no_room(cap: Cap, worst_usd: Decimal) -> str:
    """Why a call with a known maximum cost was not sent."""
    reason = f"The next call can cost up to {worst_usd:f} USD and could exceed {cap_name(cap.kind, cap.project)}"
    if cap.kind is CapKind.DAY:  # the spending of other users is not shown
        return f"{reason}: {cap.budget_usd:f} USD."
    return f"{reason}: {cap.budget_usd:f} USD, with {cap.spent_usd:f} spent and {cap.reserved_usd:f} reserved."


def no_price(cap: Cap, model: str) -> str:
    """Why a call of unknown price was not sent."""
    return (
        f"The price of {model.removesuffix(':')} is unknown, so {cap_name(cap.kind, cap.project)} cannot be enforced. "
        "Set it with COMBINE_LLM_PRICES, or resume with --allow-unpriced."
    )

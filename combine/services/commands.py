"""The parameters of what people start: an execution, or a fork of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from combine.brief.brief import Brief


@dataclass(frozen=True, slots=True)
class StartExecution:
    """The parameters of a new execution."""

    brief: Brief
    workflow_id: str
    project: str | UUID
    """A project's id or name; a project with that name is created if it does not exist."""
    model: str
    """``PROVIDER:MODEL`` as entered by the user."""
    ask: bool = True
    answers: Mapping[str, str] = field(default_factory=dict)
    """Answers given in advance, by question id or text."""
    budget_usd: Decimal | None = None
    allow_unpriced: bool = False
    """Run models of unknown price although a cap applies; nothing is reserved for their calls."""


@dataclass(frozen=True, slots=True)
class ForkExecution:
    """The parameters of a fork."""

    from_step: str
    """This step and everything that depends on it run again."""
    model: str | None = None
    """``PROVIDER:MODEL``; None: the model of the source execution."""
    budget_usd: Decimal | None = None
    """Cap on the total cost of the new execution; None: the cap of the source execution."""
    allow_unpriced: bool = False
    """Allow calls of unknown price although a cap applies; also if the source allowed them."""

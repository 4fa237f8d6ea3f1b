"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from pathlib import Path
from typing import Annotated, Final

import typer

from combine.errors import Invalid
from combine.services.amounts import check_budget, check_cost

SERVER: Final[ContextVar[str | None]] = ContextVar("server", default=None)
"""The server named with --server; empty: none, whatever the settings say."""


class Decision(Enum):
    """What may be decided where a QA limit is reached."""

    ACCEPT_ANYWAY = "accept-anyway"
    TRY_AGAIN = "try-again"
    CANCEL = "cancel"


class Grouping(Enum):
    """What costs may be added up by."""

    DAY = "day"
    MODEL = "model"
    WORKFLOW = "workflow"
    STEP = "step"
    PROJECT = "project"
    EXECUTION = "execution"


class TokenScope(Enum):
    """What a token may be used for; each holds those before it."""

    READ = "read"
    RUN = "run"
    ADMIN = "admin"


class Form(Enum):
    """The forms a document leaves in."""

    MD = "md"
    JSON = "json"


def usd_amount(text: str) -> Decimal:
    """A budget as a person writes it. Raises BadParameter."""
    return _amount(text, check_budget)


def usd_cost(text: str) -> Decimal:
    """What a call has cost, as a person writes it. Raises BadParameter."""
    return _amount(text, check_cost)


def _amount(text: str, check: Callable[[Decimal], None]) -> Decimal:
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is no amount; write for example 2.50.") from None
    try:
        check(amount)
    except Invalid as error:
        raise typer.BadParameter(f"{text!r} is none. {error.message}") from None
    return Decimal(format(abs(amount).normalize(), "f"))  # neither -0, 1E+2 nor more zeros than the database keeps


def day(text: str) -> datetime:
    """The beginning of a day, in UTC. Raises BadParameter."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write for example 2026-02-28.") from None


Execution = Annotated[str, typer.Argument(metavar="ID", help="The execution's id, or its beginning.")]
Answers = Annotated[
    Path | None,
    typer.Option("--answers", metavar="FILE", help="YAML or JSON: {question id or text: answer}.", show_default=False),
]
NoQuestions = Annotated[
    bool, typer.Option("--no-questions", help="Decide for me: each question becomes a declared assumption.")
]
Budget = Annotated[
    Decimal | None,
    typer.Option(
        "--budget", metavar="USD", parser=usd_amount, help="What the execution may cost in all.", show_default=False
    ),
]
AllowUnpriced = Annotated[
    bool, typer.Option("--allow-unpriced", help="Run models of unknown price, which no cap can count.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Write <type>.md and <type>.json there.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Project = Annotated[
    str | None, typer.Option("--project", metavar="NAME", help="Only this project.", show_default=False)
]
Step = Annotated[
    str | None,
    typer.Option("--step", metavar="STEP", help="Which step, where several wait.", show_default=False),
]

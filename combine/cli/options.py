"""Arguments and options shared by several commands."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from combine.errors import Invalid
from combine.formats import is_storable
from combine.services.amounts import check_budget, check_cost

SERVER: Final[ContextVar[str | None]] = ContextVar("server", default=None)
"""The value of --server; an empty string means no server, whatever the settings say."""


class FileName(str):
    """A file name: any text or bytes. Used as ``parser`` of an argument that may name a file."""

    __slots__ = ()


class TextCommand(TyperCommand):
    """A command that rejects arguments with invalid UTF-8 or control characters, except in file names."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises BadParameter that names the option or argument."""
        param: Any
        for param in self.params:
            value = ctx.params.get(param.name)
            if type(value) is str and not is_storable(value):
                raise typer.BadParameter(
                    f"{value!r} is not UTF-8 text without control characters.", ctx=ctx, param=param
                )
        return super().invoke(ctx)


class Decision(Enum):
    """The choices at a QA limit."""

    ACCEPT_ANYWAY = "accept-anyway"
    TRY_AGAIN = "try-again"
    CANCEL = "cancel"


class ExportFormat(StrEnum):
    """The file formats of an exported document."""

    MD = "md"
    JSON = "json"


def usd_amount(text: str) -> Decimal:
    """Parse a budget. Raises BadParameter."""
    return _amount(text, check_budget)


def usd_cost(text: str) -> Decimal:
    """Parse the cost of a call. Raises BadParameter."""
    return _amount(text, check_cost)


def _amount(text: str, check: Callable[[Decimal], None]) -> Decimal:
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is not a valid amount; use for example 2.50.") from None
    try:
        check(amount)
    except Invalid as error:
        raise typer.BadParameter(f"{text!r} is not a valid amount. {error.message}") from None
    return Decimal(
        format(abs(amount).normalize(), "f")
    )  # neither -0 nor 1E+2, and no more zeros than the database keeps


def day(text: str) -> datetime:
    """Parse a date as the start of that day in UTC. Raises BadParameter."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a valid date; use YYYY-MM-DD.") from None


Execution = Annotated[str, typer.Argument(metavar="ID", help="Execution ID or prefix.")]
Answers = Annotated[
    Path | None,
    typer.Option(
        "--answers", metavar="FILE", help="YAML or JSON file: {question ID or text: answer}.", show_default=False
    ),
]
NoQuestions = Annotated[
    bool, typer.Option("--no-questions", help="Use the default for every question and record it as an assumption.")
]
Budget = Annotated[
    Decimal | None,
    typer.Option(
        "--budget", metavar="USD", parser=usd_amount, help="Maximum total cost of the execution.", show_default=False
    ),
]
AllowUnpriced = Annotated[
    bool, typer.Option("--allow-unpriced", help="Allow models of unknown price, which do not count towards any cap.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Write <type>.md and <type>.json files to DIR.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Project = Annotated[
    str | None, typer.Option("--project", metavar="NAME", help="Filter by project.", show_default=False)
]
Step = Annotated[
    str | None,
    typer.Option("--step", metavar="STEP", help="Step to act on; required if several are waiting.", show_default=False),
]

"""Texts of the command line: the system hands over bytes, and not all of them are text."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

from combine.errors import fault_in_words
from combine.formats import is_storable


class FileName(str):
    """Of a file, or of something else beside: any bytes. As ``parser`` of an argument."""

    __slots__ = ()


class TextCommand(TyperCommand):
    """A command that takes UTF-8 only, but for the names of files, and says what it wants in words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments. Raises BadParameter."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            from pydantic import ValidationError  # noqa: PLC0415 - `combine --help` needs none

            if isinstance(cause := error.__cause__, ValidationError):
                fault = cause.errors(include_url=False)[0]
                told = fault_in_words(fault["type"], fault["msg"], fault.get("ctx", {}))
                error.message = f"{told.removesuffix('.')}."
            raise

    def invoke(self, ctx: Any) -> Any:
        """Do it. Raises BadParameter that names the option or argument."""
        param: Any
        for param in self.params:
            value = ctx.params.get(param.name)
            if type(value) is str and not is_storable(value):
                raise typer.BadParameter(
                    f"{value!r} is not UTF-8 text without control characters.", ctx=ctx, param=param
                )
        return super().invoke(ctx)


def readable(name: str) -> str:
    """The name of a file with a sign in place of what cannot be read."""
    return name.encode(errors="surrogateescape").decode(errors="replace")

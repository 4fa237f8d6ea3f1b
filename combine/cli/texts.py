"""Texts of the command line: the system hands over bytes, and not all of them are text."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand


class FileName(str):
    """Of a file, or of something else beside: any bytes. As ``parser`` of an argument."""

    __slots__ = ()


class TextCommand(TyperCommand):
    """A command that takes UTF-8 only, but for the names of files."""

    def invoke(self, ctx: Any) -> Any:
        """Do it. Raises BadParameter that names the option or argument."""
        param: Any
        for param in self.params:
            value = ctx.params.get(param.name)
            if type(value) is str and not is_text(value):
                raise typer.BadParameter(f"{value!r} is no text in UTF-8.", ctx=ctx, param=param)
        return super().invoke(ctx)


def is_text(word: str) -> bool:
    """Whether all of it could be read."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def readable(name: str) -> str:
    """The name of a file with a sign in place of what cannot be read."""
    return name.encode(errors="surrogateescape").decode(errors="replace")

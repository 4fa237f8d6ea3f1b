"""Plain tables with aligned columns, the same in a terminal and in a pipe. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset(), indent: str = ""
) -> Iterator[str]:
    """The lines of a table; ``right`` holds the columns of numbers. Wide letters count twice."""
    cells = [list(headers), *(list(map(_one_line, row)) for row in rows)]
    widths = [max(cell_len(row[column]) for row in cells) for column in range(len(headers))]
    for row in cells:
        padded = (_pad(text, widths[n], left=n in right) for n, text in enumerate(row))
        yield (indent + "  ".join(padded)).rstrip()


def _pad(text: str, width: int, *, left: bool) -> str:
    gap = " " * (width - cell_len(text))
    return gap + text if left else text + gap


def _one_line(text: str) -> str:
    return " ".join(text.split())

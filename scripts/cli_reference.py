"""Writes docs/reference/cli.md: the help of every command, as the program prints it.

``python scripts/cli_reference.py`` writes the page; ``--check`` exits 1 if the page is out of step.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from typer.testing import CliRunner

from combine.cli.app import build_app

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"
HEAD = """\
# Commands

What `combine COMMAND --help` prints. Made by `python scripts/cli_reference.py`; a test compares it with the program.
How the commands are used together: [Using The Combine](../using.md).
"""


def paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, groups before their members."""
    yield path
    for name, member in getattr(command, "commands", {}).items():
        yield from paths(member, (*path, name))


def render() -> str:
    """The whole page, as wide whatever the terminal."""
    app = build_app()
    runner = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "100"})
    parts = [HEAD]
    for path in paths(typer.main.get_command(app)):
        shown = runner.invoke(app, [*path, "--help"], prog_name="combine", terminal_width=100).stdout.rstrip()
        title = " ".join(("combine", *path))
        parts.append(f"## {title}\n\n```text\n{shown}\n```\n")
    return "\n".join(parts)


def main() -> int:
    """Write, or compare."""
    page = render()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == page:
        return 0
    print("docs/reference/cli.md is out of step: run python scripts/cli_reference.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())

"""The command line: exit codes, and the JSON of every command that has --json; the order of keys counts, too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from shapes import pinned, shape, steady
from typer.main import get_command

from combine.cli.app import build_app

pytestmark = pytest.mark.timeout(300)  # includes the shared fixture `played`


def commands(group: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """Every command and its options."""
    for name, command in (group or get_command(build_app())).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            names = [one if one.startswith("-") else "<argument>" for param in command.params for one in param.opts]
            yield " ".join((*words, name)), sorted(names)


PRINTS_JSON = [name for name, options in commands() if "--json" in options]


@pytest.mark.parametrize("command", PRINTS_JSON)
def test_what_a_command_prints(played, command):
    found = {
        name.removeprefix(f"{command}: "): {"exit code": result.code, "stdout": printed(command, result)}
        for name, result in sorted(played.results.items())
        if name.startswith(f"{command}: ")
    }
    assert found, f"played.py does not call combine {command} --json"
    pinned(f"cli-{command.replace(' ', '-')}", found)


def printed(command: str, result: Any) -> Any:
    assert result.code in range(7), result.err
    if not result.out:
        assert result.err
        return None
    if command == "watch":
        lines = steady([json.loads(line) for line in result.out.splitlines()])
        return {"each line": shape(*({**line, "data": {}} for line in lines))}
    return shape(result.json)


def test_the_commands_and_their_options():
    pinned("cli-commands", dict(commands()))

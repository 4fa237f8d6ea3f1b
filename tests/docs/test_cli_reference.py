"""The page of commands is what the program prints, and no page names a command or an option that does not exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from combine.cli.app import build_app

ROOT = Path(__file__).parents[2]
PAGES = [path for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")) if path.name != "cli.md"]
BLOCK = re.compile(r"^```(?:sh|console)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(combine [^`\n]+)`")


def test_the_page_is_in_step_with_the_program():
    script = [sys.executable, str(ROOT / "scripts" / "cli_reference.py"), "--check"]
    result = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def commands_of(text):
    """Every ``combine ...`` that a page tells its reader to type."""
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*(combine .*)", line):
                yield re.split(r" && | \| | > | 2>|;", found[1])[0]
    yield from INLINE.findall(BLOCK.sub("", text))


def unknown_in(line, command):
    """The first word of ``line`` that the program does not know."""
    words = [word for word in shlex.split(line, comments=True)[1:] if word != "..."]
    while words and hasattr(command, "commands"):
        if words[0].startswith("-"):
            break
        for name in words[0].split("|"):
            if name not in command.commands:
                return name
        command = command.commands[words[0].split("|")[0]]
        words = words[1:]
    options = {name for one in command.params for name in one.opts} | {"--help", "-h", "--debug"}
    return next((word for word in words if word.startswith("--") and word.partition("=")[0] not in options), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_names_only_commands_that_exist(page):
    command = typer.main.get_command(build_app())
    text = page.read_text(encoding="utf-8")
    assert {line: word for line in commands_of(text) if (word := unknown_in(line, command))} == {}


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("combine run brief.md --model offline  # words", None),
        ("combine docs list|show", None),
        ("combine fly", "fly"),
        ("combine run brief.md --modell x", "--modell"),
        ("combine docs burn", "burn"),
    ],
)
def test_an_unknown_word_is_found(line, word):
    assert unknown_in(line, typer.main.get_command(build_app())) == word

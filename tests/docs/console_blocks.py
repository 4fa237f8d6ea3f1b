"""Runs the ``console`` examples of a page in one shell and compares what they print.

A block looks as a terminal does: a line ``$ command`` (continued by a backslash at its end), then its output, stdout
and stderr together. In expected output a line ``...`` stands for any lines, and ``...`` inside a line for any text;
ids, times, durations and temporary folders are compared by shape only. An opening fence ``console exit=3`` expects that
exit code of the block's last command; all others must give 0. ``<!-- not run -->`` right before a block leaves it out.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(
    r"(?P<skip><!-- not run -->\n+)?^```console(?P<options>[^\n]*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE
)

# Things that differ from run to run. Order matters: the longer shapes first.
SHAPES = (
    (re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), ""),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "<id>"),  # one id in forty is all digits
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:?\d\d| ?UTC)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "<time>"),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:ms|s|seconds?)\b"), "<duration>"),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass(frozen=True, slots=True)
class Example:
    """One command of a block."""

    line: int
    command: str
    expected: tuple[str, ...]
    exit_code: int


def read_examples(text: str) -> list[Example]:
    """The commands of all blocks that are to be run, in order."""
    return [example for block in BLOCK.finditer(text) if not block["skip"] for example in _of_block(text, block)]


def _of_block(text: str, block: re.Match[str]) -> Iterator[Example]:
    wanted = re.search(r"\bexit=(\d+)", block["options"])
    first = text.count("\n", 0, block.start("body")) + 1
    lines = block["body"].splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    if not starts or starts[0] != 0:
        raise ValueError(f"line {first}: a console block begins with a line `$ command`")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        command, used = lines[start][2:], start + 1
        while command.endswith("\\"):
            command, used = f"{command}\n{lines[used]}", used + 1
        last = start == starts[-1]
        yield Example(first + start, command, tuple(lines[used:end]), int(wanted[1]) if wanted and last else 0)


def run_examples(examples: list[Example], folder: Path, environment: dict[str, str]) -> list[tuple[int, str]]:
    """Exit code and output of each, all in one shell, so that variables and ``cd`` hold from one to the next."""
    mark = f"<<{os.urandom(8).hex()}>>"
    script = "".join(f"{example.command}\nprintf '\\n%s%d\\n' '{mark}' $?\n" for example in examples)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=110,
    )
    parts = re.split(rf"\n{re.escape(mark)}(\d+)\n", done.stdout)
    return [(int(code), output) for output, code in zip(parts[0::2], parts[1::2], strict=False)]


def normal(line: str, folder: Path) -> str:
    """The line with everything that differs from run to run replaced by its shape."""
    line = line.replace(str(folder), "<folder>")
    for pattern, shape in SHAPES:
        line = pattern.sub(shape, line)
    return line.strip()


def _line_matches(expected: str, actual: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in expected.split("...")), actual) is not None


def matches(expected: list[str], actual: list[str]) -> bool:
    """Whether the output is as expected; ``...`` alone on a line takes any number of lines."""
    if not expected:
        return not actual
    if expected[0] == "...":
        return any(matches(expected[1:], actual[start:]) for start in range(len(actual) + 1))
    return bool(actual) and _line_matches(expected[0], actual[0]) and matches(expected[1:], actual[1:])


def faults(examples: list[Example], results: list[tuple[int, str]], folder: Path) -> list[str]:
    """What came out otherwise than the page says."""
    found = []
    for example, (code, output) in zip(examples, results, strict=False):
        where = f"line {example.line}: $ {example.command}"
        expected = [line for line in (normal(one, folder) for one in example.expected) if line]
        actual = [line for line in (normal(one, folder) for one in output.splitlines()) if line]
        if code != example.exit_code:
            found.append(f"{where}\nexit code {code}, expected {example.exit_code}\n{output}")
        elif not matches(expected, actual):
            found.append(f"{where}\n--- printed\n{output}\n--- expected\n" + "\n".join(example.expected))
    if len(results) < len(examples):
        found.append(f"line {examples[len(results)].line}: the shell ended here")
    return found

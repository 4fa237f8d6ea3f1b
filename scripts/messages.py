"""Lists every text in the package that a person may see, to be read through in one go.

``python scripts/messages.py [FOLDER]`` prints a line for each text: file:line, what it is used for, and the text, with
the expressions of an f-string in braces. Texts of unknown use are listed too (``text``), since many messages are put
together in helper functions.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "combine"
# Texts for a model, the drafter's own sentences, SQL of migrations.
NOT_MESSAGES = frozenset(
    {"prompts/builder.py", "drafter", "storage/migrations", "brief/language.py", "checks/vague.py"}
)
KEYWORDS = {"hint": "hint", "help": "help", "epilog": "help", "reason": "reason", "message": "message"}
CALLS = {
    **dict.fromkeys(("debug", "info", "warning", "error", "exception", "critical"), "log"),
    **dict.fromkeys(("echo", "print", "say", "secho", "write"), "output"),
    **dict.fromkeys(("Argument", "Option", "Typer"), "help"),
    **dict.fromkeys(("compile", "fullmatch", "text", "execute", "exec_driver_sql"), "code"),
}
_WORDS = re.compile(r"[A-Za-z]{2}.* |^[A-Z][a-z]+[.:]?$", re.DOTALL)
_SQL = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER|LISTEN|NOTIFY|SET|CALL|LOCK)\b")


class Message(NamedTuple):
    """One text and where it stands."""

    file: str
    line: int
    use: str
    text: str


def error_classes(trees: Mapping[str, ast.Module]) -> frozenset[str]:
    """The names of ``CombineError`` and all classes that inherit from it."""
    bases = {
        node.name: {ast.unparse(base) for base in node.bases}
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {"CombineError"}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return frozenset(found)


def shown(node: ast.expr) -> str | None:
    """The text of a string or an f-string; None for every other expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    parts = (
        str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(getattr(part, 'value', part))}}}"
        for part in node.values
    )
    return "".join(parts)


class Messages(ast.NodeVisitor):
    """Collects the messages of one module."""

    def __init__(self, file: str, errors: frozenset[str]) -> None:
        self.found: list[Message] = []
        self._file = file
        self._errors = errors
        self._uses = ["text"]

    def visit_Expr(self, node: ast.Expr) -> None:
        """Leave docstrings out."""
        if shown(node.value) is None:
            self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """The docstring of an error class is its default message."""
        if node.name in self._errors and (text := ast.get_docstring(node)):
            self._add(node.body[0], "error", text.partition("\n")[0])
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """The docstring of a command is its help."""
        commands = self._file in {"cli/app.py", "cli/commands.py", "cli/command_groups.py"}
        if commands and not node.name.startswith("_") and (text := ast.get_docstring(node)):
            self._add(node.body[0], "help", text)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """Strings are used for what the function around them does."""
        name = ast.unparse(node.func).rpartition(".")[2]
        use = "error" if name in self._errors else CALLS.get(name, self._uses[-1])
        self.visit(node.func)
        for argument in node.args:
            self._within(use, argument)
        for keyword in node.keywords:
            self._within(KEYWORDS.get(keyword.arg or "", use), keyword.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        """What is raised by a helper function is an error too."""
        if node.exc is not None:
            self._within("error", node.exc)

    def visit_Constant(self, node: ast.Constant) -> None:
        """A string."""
        self._string(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """An f-string; the strings inside its expressions are texts of their own."""
        self._string(node)
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def _string(self, node: ast.expr) -> None:
        text = shown(node)
        if text and self._uses[-1] != "code" and _WORDS.search(text) and not _SQL.match(text):
            self._add(node, self._uses[-1], text)

    def _within(self, use: str, node: ast.expr) -> None:
        self._uses.append(use)
        self.visit(node)
        self._uses.pop()

    def _add(self, node: ast.stmt | ast.expr, use: str, text: str) -> None:
        self.found.append(Message(self._file, node.lineno, use, " ".join(text.split())))


def messages(package: Path = PACKAGE) -> Iterator[Message]:
    """All messages of a package, by file and line."""
    trees = {
        file.relative_to(package).as_posix(): ast.parse(file.read_text(encoding="utf-8"))
        for file in sorted(package.rglob("*.py"))
    }
    errors = error_classes(trees)
    for file, tree in trees.items():
        if not any(file == one or file.startswith(f"{one}/") for one in NOT_MESSAGES):
            reader = Messages(file, errors)
            reader.visit(tree)
            yield from sorted(reader.found)


if __name__ == "__main__":
    for found in messages(Path(sys.argv[1]) if sys.argv[1:] else PACKAGE):
        print(f"{found.file}:{found.line} {found.use}: {found.text}")

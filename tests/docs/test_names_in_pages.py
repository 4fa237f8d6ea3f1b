"""Every name of code in the pages for contributors exists in the tree.

A name is a code span outside of fenced blocks that has one of these forms:

- a path or a file: ``storage/``, ``engine/queue.py``, ``test_serve.py``, ``requirements/*.txt``
- a dotted name: ``Executions.lock``, ``queue.enqueue``, ``combine.main``, ``llm_calls.reserved_usd``
- a call or a keyword argument: ``create_app(settings)``, ``one_moment=True``
- an identifier that is no plain word: ``EventFeed``, ``open_call``, ``_middleware``, ``COMBINE_PORT``

Everything else is not checked here: commands, URLs, plain words, values. A path is relative to the repository, to the
package or to the room of the page; in the first column of a room's table it must be in that room. A page of a decision
whose second paragraph begins with "Superseded by" may name what is gone.
"""

from __future__ import annotations

import ast
import importlib
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from combine.settings import Settings
from combine.storage.core.tables import metadata

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "combine"
CODE = ("combine", "tests", "scripts", "benchmarks")
PAGES = [ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/rooms/*.md")), *sorted(ROOT.glob("docs/decisions/*.md"))]

FILE = re.compile(r"[\w.*-]+\.(?:py|md|toml|txt|json|sh|yaml|ini)|Makefile")
PATH = re.compile(r"(?![/.])[\w.*-]+/(?:[\w.*-]+/)*(?:[\w.*-]+)?")
DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
CALL = re.compile(r"([A-Za-z_][\w.]*)\(.*\)")
KEYWORD = re.compile(r"(\w+)=\S*")
IDENTIFIER = re.compile(r"_\w+|\w+_\w*|[A-Z]\w*[a-z]\w*[A-Z]\w*|[A-Z][a-z]+")

FOREIGN = {
    "BaseHTTPMiddleware": "Starlette's, which we do not use",
    "EventSource": "of browsers",
    "at_hash": "a claim of ID tokens, in OpenID Connect",
    "enqueue_in_transaction": "of DBOS",
    "lazy": "of SQLAlchemy's ORM, which we do not use",
    "poetry.lock": "of another tool",
    "pylock.toml": "of another tool",
    "sysexits.h": "of the C library",
    "uv.lock": "of another tool",
    "before_cursor_execute": "an event of SQLAlchemy",
    "begin": "of SQLAlchemy's engine",
    "force_generic_plan": "a value of PostgreSQL",
    "plan_cache_mode": "a setting of PostgreSQL",
    "pg_ctl": "a program of PostgreSQL",
    "pg_dump": "a program of PostgreSQL",
    "pg_restore": "a program of PostgreSQL",
}
"""Names of other programs, and where they come from."""


def sources() -> list[Path]:
    """All files of code but this one, whose examples name what does not exist."""
    return [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py")) if path != Path(__file__)]


@cache
def words() -> frozenset[str]:
    """Every name in the code, and every string literal of the package that is a name: columns, codes, keys."""
    found = {f"COMBINE_{name.upper()}" for name in Settings.model_fields}
    for path in sources():
        with path.open("rb") as file:
            for token in tokenize.tokenize(file.readline):
                if token.type == tokenize.NAME:
                    found.add(token.string)
                elif token.type == tokenize.STRING and path.is_relative_to(PACKAGE):
                    found.update(re.findall(r"^[rbuf]*['\"]+(\w+)['\"]+$", token.string))
    found.update(re.findall(r"\b[A-Z][A-Z_]+\b", (ROOT / "Makefile").read_text(encoding="utf-8")))
    for path in PACKAGE.glob("seed/**/*.json"):
        found.update(re.findall(r"\"([\w-]+)\":", path.read_text(encoding="utf-8")))
    return frozenset(found)


@cache
def members() -> dict[str, frozenset[str]]:
    """What each module (by its last name) and each class has. Two of the same name count as one."""
    found: dict[str, set[str]] = {table.name: set(table.columns.keys()) for table in metadata.tables.values()}
    for path in sources():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        stem = path.parent.name if path.name == "__init__.py" else path.stem
        found.setdefault(stem, set()).update(defined(tree.body))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                inside = {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute) and is_self(one.value)}
                found.setdefault(node.name, set()).update(defined(node.body), inside)
    return {name: frozenset(inside) for name, inside in found.items()}


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def defined(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


@cache
def sql() -> str:
    """All string literals of the package: tables that are not ours stand in statements only."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [one.value for one in ast.walk(tree) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return "\n".join(found)


def is_there(path: str, room: Path | None, *, only_room: bool) -> bool:
    """Whether a file or folder of this name is in the tree; a bare name may be anywhere below."""
    folders = [room] if only_room and room else [ROOT, PACKAGE, *([room] if room else [])]
    if any(next(folder.glob(path.rstrip("/")), None) for folder in folders):
        return True
    below = folders if only_room else [PACKAGE, *(ROOT / name for name in ("tests", "scripts", "benchmarks", "docs"))]
    return "/" not in path.rstrip("/") and any(next(folder.rglob(path.rstrip("/")), None) for folder in below)


def is_known(name: str) -> bool:
    """Whether a dotted or single name is one of the code, of its tables, or of a library that can be imported."""
    first, *rest = name.split(".")
    if not rest:
        return name in words()
    if first == "combine":
        path = "/".join(rest)
        return is_there(f"{path}.py", None, only_room=False) or is_there(path, None, only_room=False)
    if first in members():
        return rest[0] in members()[first]
    return re.search(rf"\b{re.escape(name)}\b", sql()) is not None or can_be_imported(first, rest)


def can_be_imported(module: str, rest: list[str]) -> bool:
    try:
        thing = importlib.import_module(module)
        for part in rest:
            thing = getattr(thing, part)
    except (ImportError, AttributeError):
        return False
    return True


def room_of(page: Path) -> Path | None:
    folder = PACKAGE / page.stem
    return folder if page.parent.name == "rooms" and folder.is_dir() else None


def spans(text: str) -> Iterator[tuple[str, bool]]:
    """Each code span, and whether it stands in the first column of a table."""
    for line in re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE).splitlines():
        first = line.split("|")[1] if line.startswith("| ") else ""
        for match in re.finditer(r"`([^`]+)`", line):
            yield match[1], f"`{match[1]}`" in first and match.start() < len(first) + 1


def unknown(text: str, room: Path | None = None) -> list[str]:
    """The names in the page that are not in the tree."""
    found = []
    for span, in_first_column in spans(text):
        if span in FOREIGN:
            continue
        if FILE.fullmatch(span) or PATH.fullmatch(span):
            known = is_there(span, room, only_room=in_first_column)
        elif call := CALL.fullmatch(span) or KEYWORD.fullmatch(span):
            known = call[1] in FOREIGN or is_known(call[1])
        elif DOTTED.fullmatch(span) or IDENTIFIER.fullmatch(span):
            known = is_known(span)
        else:
            continue
        if not known:
            found.append(span)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_name_exists(page):
    text = page.read_text(encoding="utf-8")
    if "decisions" in page.parts and text.split("\n\n")[1].startswith("Superseded by"):
        pytest.skip("a later decision has replaced it")
    assert unknown(text, room_of(page)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`nowhere.py` `engine/queue.py`", ["nowhere.py"]),
        ("`engine/nothing/` `tests/docs`", ["engine/nothing/"]),
        ("`Executions.lock` `Executions.no_such`", ["Executions.no_such"]),
        ("`create_app(settings)` `create_nothing(settings)`", ["create_nothing(settings)"]),
        ("`one_moment=True` `no_such_option=True`", ["no_such_option=True"]),
        ("`CombineError` `NoSuchError`", ["NoSuchError"]),
        ("`COMBINE_PORT` `COMBINE_HARBOUR`", ["COMBINE_HARBOUR"]),
        ("`executions.waits_for` `executions.no_such` `dbos.workflow_status`", ["executions.no_such"]),
        ("`combine run` `{a, b}` `/health` `draft` `X-Request-ID`", []),
        ("```\n`no_such_name`\n```\n", []),
    ],
)
def test_what_does_not_exist_is_found(text, found):
    assert unknown(text) == found


def test_a_module_in_the_table_of_a_room_must_be_in_that_room():
    table = "| `queue.py` | the queue, see `segments.py` |\n"
    assert unknown(table, PACKAGE / "engine") == []
    assert unknown(table, PACKAGE / "llm") == ["queue.py"]

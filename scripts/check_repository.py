"""Checks the files in git for secrets, addresses of package indexes, paths of one machine and large files.

Also checks that no module or function of the package is too long. ``check_repository.py [FOLDER]``; without a folder,
this repository.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MAX_BYTES = 1_000_000
MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 60
MAX_COMPLEXITY = 15
"""As radon counts it: unlike mccabe, it counts conditions joined by ``and`` and ``or``, and comprehensions."""

# Lock formats that record where each file was downloaded from; requirements/*.txt contain only pins and hashes.
ADDRESS_LOCKS = frozenset(
    {
        "uv.lock",
        "poetry.lock",
        "pdm.lock",
        "Pipfile.lock",
        "pixi.lock",
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "bun.lock",
    }
)

# Each pattern is written so that it does not match itself.
PATTERNS = {
    "the address of a package index": re.compile(
        r"pypi\.[a-z]|python[h]osted|registry\.(?:npm|yarn)|devpi[.:/]|art[i]factory|simple/?\s*--trusted"
    ),
    "an option that names a package index": re.compile(
        r"--(?:extra-)?index[-]url[ =]|^\s*index[-]url\s*=|--find[-]links[ =]"
    ),
    "a path of one machine": re.compile(
        r"(?<![\w.$}/])/(?:work|root|Users/\w+|home/(?!you\b|user\b)\w+|tmp/venv)(?:/|\b(?=[\"'`\s]))"
    ),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE [K]EY-----"),
    "an API key": re.compile(
        r"\bsk-(?:ant|proj)-[A-Za-z0-9_-]{20,}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b"
    ),
}


def tracked(folder: Path) -> list[str]:
    """Paths of the files in git's index."""
    listing = subprocess.run(  # noqa: S603 - fixed arguments
        ["git", "-C", str(folder), "ls-files", "-z"],  # noqa: S607 - git is a stated requirement
        capture_output=True,
        check=True,
    )
    return [name for name in listing.stdout.decode().split("\0") if name]


def faults_of_file(name: str, data: bytes) -> Iterator[str]:
    """The faults of one file."""
    base = name.rsplit("/", 1)[-1]
    if base in ADDRESS_LOCKS or re.fullmatch(r"pylock.*\.toml", base):
        yield f"{name}: this lock format records addresses"
    if len(data) > MAX_BYTES:
        yield f"{name}: {len(data)} bytes, more than {MAX_BYTES}"
    if b"\0" in data[:8192]:
        return
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        for what, pattern in PATTERNS.items():
            if pattern.search(line):
                yield f"{name}:{number}: {what}"


def complexity(node: ast.AST) -> int:
    """How many ways a piece of code adds to a function."""
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    if isinstance(node, ast.Try):
        return len(node.handlers) + bool(node.orelse)
    if isinstance(node, ast.For | ast.AsyncFor | ast.While):
        return 1 + bool(node.orelse)
    return isinstance(node, ast.If | ast.IfExp | ast.Lambda | ast.Assert | ast.match_case)


def faults_of_size(name: str, source: str) -> Iterator[str]:
    """The modules and functions of the package that are too long, and the functions that are too complex."""
    lines = source.count("\n")
    if lines > MAX_MODULE_LINES:
        yield f"{name}: {lines} lines, more than {MAX_MODULE_LINES}"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines, more than {MAX_FUNCTION_LINES}"
            paths = 1 + sum(map(complexity, ast.walk(node)))
            if paths > MAX_COMPLEXITY:
                yield f"{name}:{node.lineno}: {node.name} has a complexity of {paths}, more than {MAX_COMPLEXITY}"


def faults(folder: Path) -> Iterator[str]:
    """All faults of the tracked files in this folder."""
    for name in tracked(folder):
        path = folder / name
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            yield from faults_of_file(name, data)
            # Migrations are never changed, so their length does not matter.
            if name.startswith("combine/") and name.endswith(".py") and "/migrations/versions/" not in name:
                yield from faults_of_size(name, data.decode("utf-8"))


def main() -> int:
    """Print every fault; returns 1 if there are any."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = list(faults(folder))
    for fault in found:
        print(fault)
    print(f"repository: {len(found)} faults" if found else "repository: no faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""The check that keeps requirements/ in step finds what it is there to find."""

import ast
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path):
    """The parts of the repository that the check reads, with the check itself."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "check_requirements.py", tmp_path / "scripts")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


def check(folder):
    script = folder / "scripts" / "check_requirements.py"
    return subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)


def test_the_files_as_they_are_pass(copy):
    result = check(copy)
    assert (result.returncode, result.stdout) == (0, "requirements match pyproject.toml\n")


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("pyproject.toml", '  "alembic>', '  "not-pinned-anywhere",\n  "alembic>', "not-pinned-anywhere is missing"),
        ("pyproject.toml", '"PyYAML>=6"', '"PyYAML>=600"', " is outside >=600"),
        ("requirements/dev.txt", "\nrich==", "\nrich==0.", "rich differs from requirements/runtime.txt"),
        ("requirements/runtime.txt", "\nrich==", "\nunhashed==1.0\nrich==", "unhashed has no hash"),
        ("requirements/runtime.txt", "\nrich==", "\n--index" + "-url https://x.example/\nrich==", "an option"),
        ("requirements/runtime.txt", "\nrich==", "\nx @ file" + ":///opt/x.whl\nrich==", "an address"),
    ],
)
def test_a_fault_is_named(copy, file, old, new, fault):
    path = copy / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    result = check(copy)
    assert result.returncode == 1
    assert fault in result.stdout


def test_a_missing_file_is_named(copy):
    (copy / "requirements" / "bench.txt").unlink()
    assert "requirements/bench.txt is missing" in check(copy).stdout


def imported_modules(folder):
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def test_every_library_the_package_imports_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {canonicalize_name(Requirement(one).name) for one in project["dependencies"]}
    distributions = packages_distributions()
    foreign = set(imported_modules(ROOT / "combine")) - sys.stdlib_module_names - {"combine", "_typeshed"}
    undeclared = {
        module
        for module in foreign
        if not declared & {canonicalize_name(name) for name in distributions.get(module, ())}
    }
    assert undeclared == set()

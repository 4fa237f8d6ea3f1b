"""What the repository's own pages and checks promise."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import combine
from combine.workflows.definition_shape import shape_faults

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "decisions"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def without_code(text):
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    broken = []
    for target in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists():
            broken.append(target)
        elif fragment and file.suffix == ".md":
            headings = re.findall(r"^#+ +(.+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            if fragment not in {anchor(heading) for heading in headings}:
                broken.append(target)
    assert broken == []


def decision_pages():
    return sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")


def test_decisions_are_numbered_without_a_gap():
    numbers = [int(path.name[:4]) for path in decision_pages()]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("page", decision_pages(), ids=lambda page: page.stem)
def test_decision_has_its_four_parts_and_is_listed(page):
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {page.name[:4]} ")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == [
        "Context",
        "Decision",
        "Consequences",
        "Alternatives",
    ]
    title = text.splitlines()[0].removeprefix("# ")
    assert f"[{title}]({page.name})" in (DECISIONS / "README.md").read_text(encoding="utf-8")


def test_each_room_has_its_page():
    rooms = {path.parent.name for path in (ROOT / "combine").glob("*/__init__.py")}
    rooms |= {"main", "settings", "errors", "formats", "backoff", "records"}  # rooms of one module
    pages = {path.stem for path in (ROOT / "docs" / "rooms").glob("*.md")} - {"README"}
    assert pages == rooms


def test_each_page_of_a_room_names_its_modules():
    missing = []
    for page in (ROOT / "docs" / "rooms").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        modules = {path.name for path in (ROOT / "combine" / page.stem).glob("*.py")} - {"__init__.py"}
        missing += [f"{page.stem}/{name}" for name in sorted(modules) if f"`{name}`" not in text]
    assert missing == []


def test_changelog_begins_with_unreleased_or_this_version():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert len(headings) == 1 or headings[1].startswith(combine.__version__)


def test_the_workflow_in_the_users_page_has_the_right_form():
    page = (ROOT / "docs" / "using.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```json\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    assert list(shape_faults(json.loads(example))) == []


def check(script, *arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / script), *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture
def other_repository(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    def add(name, text):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
        subprocess.run(["git", "-C", str(tmp_path), "add", name], check=True)
        return tmp_path

    return add


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("a.txt", "see https://" + "pypi" + ".example/simple", "the address of a package index"),
        ("b.txt", "--index" + "-url x", "an option that names a package index"),
        ("c.py", "P = '/ro" + "ot/x'", "a path of one machine"),
        ("uv.lock", "", "this lock format records addresses"),
        ("d.pem", "-----BEGIN RSA PRIVATE " + "KEY-----", "a private key"),
        ("e.env", "KEY=sk-" + "ant-" + "a1" * 20, "an API key"),
        ("f.bin", "x" * 1_000_001, "more than 1000000"),
        ("combine/g.py", "x = 1\n" * 501, "501 lines"),
        ("combine/h.py", "def long():\n" + "    x = 1\n" * 60, "combine/h.py:1: long has 61 lines"),
    ],
)
def test_the_repository_check_finds_planted_faults(other_repository, name, text, fault):
    result = check("check_repository.py", str(other_repository(name, text)))
    assert result.returncode == 1
    assert fault in result.stdout


def test_the_repository_check_passes_ordinary_files(other_repository):
    folder = other_repository("a.md", "Your data: ~/.local/share, /home/you/brief.md, https://example.org/root/page\n")
    assert check("check_repository.py", str(folder)).stdout == "repository: no faults\n"

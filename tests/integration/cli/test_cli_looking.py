"""One project with two versions, looked at with every command that looks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from combine.workflows.catalog import load_catalog

TYPES = ["project-discovery", "requirements-doc", "architecture-doc", "strategy-review"]
KEYS = [
    "execution_id",
    "status",
    "project",
    "documents",
    "questions",
    "findings",
    "cost_usd",
    "tokens",
    "calls",
    "duration_s",
]


@dataclass
class Made:
    """What the two runs said."""

    first: Any
    second: Any
    out: Path


@pytest.fixture(scope="module")
def made(module_cli) -> Made:
    out = module_cli.folder / "deep" / "out"
    arguments = ("run", module_cli.brief, "--project", "cakes", "--no-questions", "--json")
    first = module_cli(*arguments, "--out", str(out))
    assert first.code == 0, first.err
    changed = module_cli.write("changed.txt", Path(module_cli.brief).read_text() + "Please keep it simple.\n")
    second = module_cli("run", changed, *arguments[2:-1])
    assert second.code == 0, second.err
    return Made(first, second, out)


def test_the_json_object_has_exactly_the_promised_keys(made):
    found = made.first.json
    assert list(found) == KEYS
    assert (found["status"], found["project"], found["cost_usd"], found["calls"]) == ("completed", "cakes", 0, 5)
    assert [list(one) for one in found["documents"]] == [["type", "version", "id", "path"]] * 4
    assert [one["type"] for one in found["documents"]] == TYPES
    assert sorted(found["tokens"]) == ["cache_read", "cache_write", "input", "output"]
    assert found["tokens"]["output"] > 0
    assert 0 < found["duration_s"] < 60
    assert [one["answer"] for one in found["questions"]] == [one["default"] for one in found["questions"]]
    assert {one["severity"] for one in found["findings"]} == {"major", "minor"}


def test_the_files_hold_valid_documents_in_the_order_of_their_schemas(made):
    catalog = load_catalog(None)
    for one in made.first.json["documents"]:
        path = Path(one["path"])
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = catalog.schema(one["type"]).schema
        jsonschema_rs.validate(schema, content, offline=True)
        assert list(content) == [key for key in schema["properties"] if key in content]
        assert path.with_suffix(".md").read_text(encoding="utf-8").startswith("# ")
    assert sorted(path.name for path in made.out.iterdir()) == sorted(
        f"{name}.{form}" for name in TYPES for form in ("json", "md")
    )


def test_progress_goes_to_stderr_and_the_page_to_stdout(made):
    assert "discovery: project-discovery version 1" in made.first.err
    assert "Completed: 4 documents" in made.second.out
    assert "combine docs show strategy-review --project cakes" in made.second.out


def test_show_says_the_same_as_run(module_cli, made):
    shown = module_cli.here("show", made.first.json["execution_id"], "--json")
    assert shown.code == 0
    without_paths = [{**one, "path": None} for one in made.first.json["documents"]]
    assert shown.json == made.first.json | {"documents": without_paths}


def test_show_for_a_person(module_cli, made):
    page = module_cli.here("show", made.first.json["execution_id"][:8]).out
    for words in ("completed", "Steps", "Questions", "ASM-002", "Findings", "Calls", "Next: combine docs"):
        assert words in page


def test_list(module_cli, made):
    found = module_cli.here("list", "--project", "cakes", "--status", "completed", "--json").json
    assert [one["status"] for one in found] == ["completed", "completed"]
    assert found[1]["id"] == made.first.json["execution_id"]
    assert "combine run BRIEF" in module_cli.here("list", "--status", "failed").out


def test_watch_of_what_is_over_tells_all_events(module_cli, made):
    watched = module_cli.here("watch", made.first.json["execution_id"], "--json")
    events = [json.loads(line) for line in watched.out.splitlines()]
    assert watched.code == 0
    assert [one["seq"] for one in events] == list(range(1, len(events) + 1))
    assert events[-1]["kind"] == "execution_completed"


def test_docs_list_and_show(module_cli, made):
    listed = module_cli.here("docs", "list", "--type", "requirements-doc", "--json").json
    assert [(one["version"], one["status"]) for one in listed] == [(2, "active"), (1, "superseded")]
    shown = module_cli.here("docs", "show", "requirements-doc", "--version", "1", "--json").json
    assert shown["id"] == listed[1]["id"]
    assert shown["content"]["functional_requirements"][0]["id"] == "FR-001"
    page = module_cli.here("docs", "show", listed[1]["id"][:8]).out
    assert page.startswith("# ")
    assert "FR-001" in page


def test_docs_diff_of_equal_versions(module_cli, made):
    assert "no changes" in module_cli.here("docs", "diff", "requirements-doc").out
    found = module_cli.here("docs", "diff", "requirements-doc", "--from", "1", "--to", "2", "--json").json
    assert (found["old_version"], found["new_version"], found["changed"]) == (1, 2, [])


def test_docs_export(module_cli, made, tmp_path):
    exported = module_cli.here("docs", "export", "--project", "cakes", "--format", "md", "--out", str(tmp_path / "new"))
    assert exported.code == 0
    assert sorted(exported.out.split()) == sorted(str(tmp_path / "new" / f"{name}.md") for name in TYPES)
    as_json = module_cli.here("docs", "export", "requirements-doc", "--project", "cakes", "--json")
    assert "functional_requirements" in as_json.json
    assert module_cli.here("docs", "export", "requirements-doc", "--json", "--format", "md").code == 2
    one = module_cli.here("docs", "export", "requirements-doc", "--version", "1", "--format", "json")
    assert json.loads(one.out) == json.loads((made.out / "requirements-doc.json").read_text())


def test_costs(module_cli, made):
    found = module_cli.here("costs", "--by", "step", "--project", "cakes", "--json").json
    assert found["total"]["calls"] == 2 * made.first.json["calls"]
    assert [one["key"] for one in found["groups"]] == [
        f"strategy-document/{step}" for step in ("architecture", "discovery", "requirements", "review")
    ]
    assert "total" in module_cli.here("costs", "--since", "2020-01-01").out


def test_a_reader_that_goes_away_is_no_fault(module_cli, made):
    process = module_cli.begin("show", made.first.json["execution_id"])
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() in {0, 1}


def test_doctor_and_db_status(module_cli, made):
    found = module_cli.here("doctor", "--json", ANTHROPIC_API_KEY="")
    assert found.code == 0, found.err
    assert found.json["database"]["ok"]
    assert found.json["database"]["schema_version"] == found.json["database"]["wanted_schema_version"]
    providers = {one["name"]: (one["configured"], one["ok"]) for one in found.json["providers"]}
    assert providers == {
        "anthropic": (False, False),
        "openai": (False, False),
        "offline": (True, True),
        "scripted": (True, True),
    }
    assert "Running." in module_cli.here("db", "status").out
    assert "already at schema version" in module_cli.here("db", "upgrade").out


def test_doctor_shows_no_secret(module_cli, made):
    page = module_cli.here("doctor", OPENAI_API_KEY="sk-very-secret", OPENAI_BASE_URL="http://u:hidden@127.0.0.1:9/v1")
    assert page.code == 6  # set up, but nobody answers there
    assert "very-secret" not in page.out + page.err
    assert "hidden" not in page.out + page.err

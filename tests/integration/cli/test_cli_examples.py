"""The example briefs, offline, from the command line: to the end, sourced, with their provenance."""

import json
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("[a-z]*.md"))


@pytest.mark.parametrize("brief", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_offline_with_its_answers(module_cli, brief):
    answers = brief.with_suffix(".answers.yaml")
    out = module_cli.folder / brief.stem
    done = module_cli(
        *("run", str(brief), "--model", "offline", "--answers", str(answers), "--out", str(out), "--json")
    )
    assert done.code == 0, done.err
    assert done.json["status"] == "completed"
    assert all(question["answer"] for question in done.json["questions"])
    assert done.json["cost_usd"] == 0
    for document in done.json["documents"]:
        text = Path(document["path"]).with_suffix(".md").read_text(encoding="utf-8")
        assert "no language model" in text
        assert json.loads(Path(document["path"]).read_text(encoding="utf-8"))


def test_where_a_document_comes_from(module_cli):
    brief = str(EXAMPLES[0])
    done = module_cli("run", brief, "--model", "offline", "--no-questions", "--project", "traced", "--json")
    assert done.code == 0, done.err
    shown = module_cli.here("docs", "show", "requirements-doc", "--project", "traced", "--json").json
    assert shown["execution_id"] == done.json["execution_id"]
    made = shown["provenance"]
    assert len(made["calls"]) == 1
    assert len(made["inputs"]) == 2, "the brief and the discovery"
    assert sorted(made["assets"]) == [
        "prompts/house-rules",
        "prompts/roles/BA",
        "prompts/tasks/strategy-document-requirements",
        "schemas/requirements-doc",
    ]
    assert all(len(value) == 64 for value in (*made["assets"].values(), made["prompt_sha256"]))

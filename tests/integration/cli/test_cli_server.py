"""The same commands on a database and at a server that works on it: the same output, the same exit codes."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from scripted_bakery import TYPES
from serve_process import ServeProcess

import combine.seed
from combine.cli.app import global_options_first

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
CLINIC = str(EXAMPLES / "clinic-waiting-list.md")
OFFLINE = ("--model", "offline")
SHAPES = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(\+00:00| UTC)?"), "<time>"),
    (re.compile(r'"duration_s": [\d.]+'), "<duration>"),
    (re.compile(r"\b\d+(\.\d+)? (s|min|h)\b"), "<duration>"),
    (re.compile(r" +"), " "),
)
ESTIMATE = re.compile("Estimate: .*")
HERE, THERE = "at-home", "at-work"


@dataclass
class Both:
    """Commands on the database, and the same at the server."""

    cli: object
    token: str
    url: str
    first: str = ""
    second: str = ""
    clinic: str = ""

    def here(self, *arguments):
        return self.cli.here(*arguments)

    def there(self, *arguments, **environment):
        return self.cli.here(
            *global_options_first([*arguments, "--server", self.url]), **self.at_server(), **environment
        )

    def at_server(self):
        return {"COMBINE_TOKEN": self.token, "COMBINE_DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/none"}

    def run_here(self, *arguments, **more):
        return self.cli(*arguments, **more)

    def run_there(self, *arguments, **more):
        return self.cli(*arguments, COMBINE_SERVER=self.url, **self.at_server(), **more)


@pytest.fixture(scope="module")
def both(module_cli) -> Iterator[Both]:
    """A server with a worker, and at it: two versions of one project, and an execution that waits for answers."""
    folder = module_cli.folder / "mine"
    gated(folder)
    module_cli.environment["COMBINE_WORKFLOWS_DIR"] = str(folder)
    module_cli.environment["COMBINE_LLM_PRICES"] = json.dumps({"scripted": {"input": 1, "output": 5}})
    server = ServeProcess(module_cli.env(), module_cli.folder).start()
    try:
        made = module_cli.here("tokens", "create", "tests", "--scope", "admin")
        both = Both(module_cli, made.out.strip(), server.url)
        changed = module_cli.write("changed.txt", Path(module_cli.brief).read_text() + "Please keep it simple.\n")
        run = ("--project", "cakes", "--no-questions", "--json")
        both.first = both.run_there("run", module_cli.brief, *run).json["execution_id"]
        both.second = both.run_there("run", changed, *run, "--model", "scripted").json["execution_id"]
        waiting = both.run_there("run", CLINIC, *OFFLINE, "--project", "Clinic", "--json")
        both.clinic = waiting.json["execution_id"]
        assert waiting.code == 3
        yield both
    finally:
        server.stop()


def gated(folder: Path) -> None:
    """A folder with the workflow that ships, its first step behind a gate."""
    seed = Path(next(iter(combine.seed.__path__)))
    (folder / "workflows").mkdir(parents=True)
    (folder / "prompts" / "tasks").mkdir(parents=True)
    for step in ("discovery", "requirements", "architecture", "review"):
        shutil.copy(
            seed / "prompts" / "tasks" / f"strategy-document-{step}.txt",
            folder / "prompts" / "tasks" / f"gated-{step}.txt",
        )
    text = (seed / "workflows" / "strategy-document.json").read_text(encoding="utf-8")
    text = text.replace('"strategy-document"', '"gated"').replace(
        '"role": "PM"', '"role": "PM", "requires_acceptance": true'
    )
    (folder / "workflows" / "gated.json").write_text(text, encoding="utf-8")


def normal(text: str) -> str:
    """Without what differs from one execution to the next."""
    text = text.replace(HERE, "<project>").replace(THERE, "<project>")
    for pattern, shape in SHAPES:
        text = pattern.sub(shape, text)
    return text


LOOKS = [
    "list",
    "list --json",
    "list --project cakes",
    "list --status waiting_for_answers --json",
    "list --limit 1",
    "list --project nowhere",
    "show {first}",
    "show {first} --json",
    "show {clinic}",
    "show {second:.8}",
    "show zz",
    "show abc",
    "show abcdef01",
    "watch {first}",
    "watch {second} --json",
    "watch {clinic}",
    "watch {clinic} --json",
    "watch ffffffff",
    "docs list",
    "docs list --json",
    "docs list --project cakes --type requirements-doc --status superseded",
    "docs list --type brief",
    "docs show requirements-doc",
    "docs show requirements-doc --json",
    "docs show strategy-review --version 1 --project cakes",
    "docs show strategy-review --version 9 --project cakes",
    "docs show brief",
    "docs show nonsense",
    "docs show abcd",
    "docs show a/b",
    "docs diff requirements-doc",
    "docs diff requirements-doc --from 1 --to 2 --json",
    "docs diff brief",
    "docs diff requirements-doc --from 7",
    "docs export requirements-doc",
    "docs export requirements-doc --format json",
    "docs export --out exported",
    "docs export --out exported --project nowhere",
    "costs",
    "costs --by day --json",
    "costs --by model",
    "costs --by workflow",
    "costs --by step",
    "costs --by project",
    "costs --by execution --json",
    "costs --project cakes --since 2020-01-01",
    "costs --since 2999-01-01",
    "costs --project nowhere",
    "projects list",
    "projects list --json",
    "projects budget nowhere 5",
    "workflows list",
    "workflows list --json",
    "workflows show",
    "workflows show gated --json",
    "workflows show nowhere",
    "workflows show ../me",
    "replay {second}",
    "replay {second} --json",
    "replay ffffffff",
    "record {first} --out {folder}/recording.json",
    "tokens list",
    "tokens list --json",
    "tokens revoke abc",
    "tokens revoke ffffffff",
    "tokens revoke 00000000-0000-4000-8000-000000000000",
    "accept {first}",
    "reject {first} --reason No.",
    "answer {first} --no-questions",
    "resume {first}",
    "resume {clinic}",
    "resume {first} --decision accept-anyway",
    "resume {first} --from nowhere",
    "resume {first} --from review --model openai:a:b:c d",
    "cancel {first}",
    "cancel ffffffff",
    "run {brief} --workflow nowhere",
    "run {brief} --model nowhere:at-all",
    "run {brief} --project {blank}",
    "run missing.txt",
    "run {brief} --estimate --model claude-sonnet-5-5",
    "run {brief} --estimate --json --model offline",
    "run {brief} --estimate --model claude-2.0",
]


OTHER_HINTS = {"docs show a/b", "workflows show ../me"}
"""These never reach the server, as they would lead to another place of it."""


@pytest.mark.parametrize("line", LOOKS)
def test_a_look_shows_the_same(both, line, monkeypatch):
    monkeypatch.chdir(both.cli.folder)
    given = {"brief": both.cli.brief, "folder": str(both.cli.folder), "blank": "\u2003"}
    arguments = [word.format(**given, **vars(both)) for word in line.split(" ")]
    here, there = both.here(*arguments), both.there(*arguments)
    assert (there.code, normal(there.out)) == (here.code, normal(here.out)), there.err
    if here.code == 2:
        assert there.out == ""
        if line not in OTHER_HINTS:
            assert normal(there.err) == normal(here.err)
    else:
        assert progress(there.err) == progress(here.err)


def test_a_list_is_as_long_as_is_asked_for(both, tmp_path):
    """Pages are put together."""
    listed = both.there("list", "--limit", "1000", "--json").json
    assert listed == both.here("list", "--limit", "1000", "--json").json
    assert len(both.there("list", "--limit", "2", "--json").json) == 2


def test_recordings_are_the_same_and_hold_together(both, tmp_path):
    files = [tmp_path / "here.json.gz", tmp_path / "there.json.gz"]
    for file, command in zip(files, (both.here, both.there), strict=True):
        assert command("record", both.second, "--out", str(file)).code == 0
    assert gzip.decompress(files[0].read_bytes()) == gzip.decompress(files[1].read_bytes())
    assert both.here("replay", str(files[1])).code == 0


def test_exports_are_the_same_files(both, tmp_path):
    for name, command in (("here", both.here), ("there", both.there)):
        assert command("docs", "export", "--project", "cakes", "--out", str(tmp_path / name)).code == 0
    names = sorted(path.name for path in (tmp_path / "here").iterdir())
    assert len(names) == 8
    for name in names:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def in_two_places(both, *arguments, code: int, **more):
    """Do it here and there, each in its project; the two results, compared."""
    here = both.run_here(*arguments, "--project", HERE, **more)
    there = both.run_there(*arguments, "--project", THERE, **more)
    return compared(here, there, code)


def compared(here, there, code):
    assert (here.code, there.code) == (code, code), f"{here.err}\n{there.err}"
    assert normal(there.out) == normal(here.out)
    assert progress(there.err) == progress(here.err)
    return here, there


def progress(text: str) -> list[str]:
    """What was said beside the result, without what is said at a server alone, and what earlier executions change."""
    lines = (line for line in normal(text).splitlines() if "for that command too" not in line)
    return [ESTIMATE.sub("Estimate: ...", line) for line in lines]


def go_on(both, ids, *arguments, code: int):
    """The same command on each of two executions."""
    command, *rest = arguments
    return compared(both.run_here(command, ids[0], *rest), both.run_there(command, ids[1], *rest), code)


def ids_of(results) -> list[str]:
    return [re.search(r"\(execution ([0-9a-f]{8}), project", result.out)[1] for result in results]


def test_a_run_with_files(both, tmp_path):
    out = tmp_path / "out"
    here, there = in_two_places(both, "run", both.cli.brief, "--no-questions", "--json", "--out", str(out), code=0)
    assert [one["type"] for one in there.json["documents"]] == list(TYPES)
    assert sorted(here.json) == sorted(there.json)
    assert len(list(out.iterdir())) == 8
    assert "New" not in there.err


def test_questions_answers_and_a_fork(both, tmp_path):
    results = in_two_places(both, "run", CLINIC, *OFFLINE, code=3)
    ids = ids_of(results)
    answers = str(EXAMPLES / "clinic-waiting-list.answers.yaml")
    go_on(both, ids, "answer", "--answers", answers, code=0)
    go_on(both, ids, "answer", "--answers", answers, code=2)
    forks = go_on(both, ids, "resume", "--from", "architecture", *OFFLINE, code=0)
    go_on(both, ids_of(forks), "show", "--json", code=0)


def test_answers_given_in_advance_and_left_to_us(both):
    answers = both.cli.write("answers.yaml", "Q-1: A list.\nNobody asked: this.\n")
    results = in_two_places(both, "run", CLINIC, *OFFLINE, "--answers", answers, code=3)
    go_on(both, ids_of(results), "answer", "--no-questions", code=0)


def test_a_gate(both):
    results = in_two_places(
        both, "run", str(EXAMPLES / "bicycle-workshop.md"), "--workflow", "gated", *OFFLINE, "--no-questions", code=3
    )
    ids = ids_of(results)
    go_on(both, ids, "reject", "--reason", "Name the apprentice's duties.", "--step", "discovery", code=3)
    go_on(both, ids, "accept", "--step", "review", code=2)
    go_on(both, ids, "accept", code=0)


def test_a_cap(both):
    results = in_two_places(both, "run", both.cli.brief, "--no-questions", "--budget", "0.01", code=4)
    ids = ids_of(results)
    go_on(both, ids, "resume", code=2)
    go_on(both, ids, "resume", "--budget", "5", code=0)
    compared(*(run("projects", "budget", HERE, "0.01") for run in (both.here, both.there)), 0)
    unpriced = ("--model", "openai:unpriced", "--budget", "1")
    assert "is unknown" in both.run_there("run", both.cli.brief, *unpriced).err


def test_a_run_that_is_refused_leaves_no_project_behind(both):
    unpriced = ("run", both.cli.brief, "--model", "openai:unpriced", "--budget", "1", "--project")
    for run, name in ((both.run_here, "refused here"), (both.run_there, "refused there")):
        refused = run(*unpriced, name, OPENAI_API_KEY="x")
        assert (refused.code, refused.out) == (2, "")
        assert "is unknown" in refused.err
    assert not {one["name"] for one in both.here("projects", "list", "--json").json} & {"refused here", "refused there"}


def test_cancel_and_what_comes_after(both):
    results = in_two_places(both, "run", CLINIC, *OFFLINE, code=3)
    ids = ids_of(results)
    go_on(both, ids, "cancel", code=0)
    go_on(both, ids, "cancel", code=2)
    go_on(both, ids, "resume", code=2)
    go_on(both, ids, "watch", code=1)

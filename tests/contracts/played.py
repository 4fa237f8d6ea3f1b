"""Executions with every outcome, driven from outside: by the command line, a script of replies, and a kill."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from time import monotonic, sleep
from typing import Any

import bakery
import psycopg
from command_line import Cli, Result
from scripted_bakery import QUESTIONS, TYPES, asking, document, reply

import combine.seed

_PRICES = {"scripted": {"input": 0, "output": 1000}}
_USAGE = {"usage": {"input_tokens": 1000, "output_tokens": 100, "cache_read_tokens": 10, "cache_write_tokens": 0}}
"""Each reply costs 0.10 USD, and may cost 1.00."""
_MONEY = {"COMBINE_LLM_PRICES": json.dumps(_PRICES), "COMBINE_LLM_MAX_OUTPUT_TOKENS": "1000"}
_ANSWERS = "Q-1: Offer the next free day.\n"


@dataclass
class Played:
    """The results by ``command: case``, and command lines on the databases they were run on."""

    cli: Cli
    """On the database of the scripted execution."""
    other: Cli
    """On the database of all others."""
    results: dict[str, Result] = field(default_factory=dict)

    @property
    def execution(self) -> str:
        """The id of the scripted execution."""
        return self.id_of("run: asks")

    def id_of(self, name: str) -> str:
        """Of the execution that this command was about."""
        return self.results[name].json["execution_id"]

    def recorded(self) -> list[tuple[Cli, str]]:
        """Executions that between them have all that a recording can hold."""
        others = ("accept: to the end, with files", "resume: as a fork", "run: to a QA limit")
        return [(self.cli, self.execution), *((self.other, self.id_of(name)) for name in others)]


def play(folder: Path, bytecode: Path, url: str, other_url: str) -> Played:
    """Run everything; the two databases in parallel."""
    played = Played(_cli(folder / "one", bytecode, url), _cli(folder / "many", bytecode, other_url))
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_scripted_execution, played), pool.submit(_others, played)]:
            done.result()
    _looks(played)
    return played


def _scripted_execution(played: Played) -> None:
    """Questions and answers, a remediation, a process that is lost in a call, a revision, and a cap that is reached."""
    cli, results = played.cli, played.results
    cli.script(project_discovery=[asking(*QUESTIONS) | _USAGE])
    results["run: asks"] = cli("run", cli.brief, "--project", "cakes", "--budget", "2.55", "--json")
    execution = played.execution

    invented = document("requirements-doc")
    invented["functional_requirements"][0]["sources"][0]["quote"] = "words that nobody has ever written"
    bad = {"json": {"questions": [], "document": invented}, **_USAGE}
    cli.script(**_good(requirements_doc=[bad, _reply(TYPES[1])], architecture_doc=[_reply(TYPES[2], delay_s=100)]))
    answers = cli.write("answers.yaml", _ANSWERS)
    answering = cli.begin("answer", execution, "--answers", answers, "--no-questions", "--json")
    try:
        _wait_for_a_call(cli.url, "architecture", answering)
        results["db status: with a process at work"] = cli("db", "status", "--json")
    finally:
        answering.kill()
        told = answering.communicate()
    assert answering.returncode < 0, told

    sends_back = {"json": {"document": bakery.rejecting_review()}, **_USAGE}
    cli.script(**_good(strategy_review=[sends_back]))
    results["resume: to a cap"] = cli("resume", execution, "--json")
    cli.script(**_good(requirements_doc=[_changed_requirements()]))
    results["resume: to the end"] = cli("resume", execution, "--budget", "20", "--json")


def _changed_requirements() -> dict[str, Any]:
    """Another version, so that there is something to compare."""
    changed = document("requirements-doc")
    changed["functional_requirements"][0]["description"] += " It shall do so within 2 seconds."
    return {"json": {"questions": [], "document": changed}, **_USAGE}


def _others(played: Played) -> None:
    """At a gate, at a QA limit, and without a provider."""
    cli, results = played.other, played.results
    cli.environment["COMBINE_WORKFLOWS_DIR"] = str(gated_workflow(cli.folder / "own"))
    cli.script()
    start = ("run", cli.brief, "--workflow", "gated", "--project", "gated", "--json")
    results["run: asks, then a gate"] = cli(*start)
    execution = played.id_of("run: asks, then a gate")
    answers = cli.write("answers.yaml", _ANSWERS)
    cli.script(**_good())
    results["answer: to a gate"] = cli("answer", execution, "--answers", answers, "--no-questions", "--json")
    results["reject: to the gate again"] = cli("reject", execution, "--reason", "Say who bakes.", "--json")
    results["accept: to the end, with files"] = cli("accept", execution, "--out", str(cli.folder / "out"), "--json")
    results["resume: as a fork"] = cli("resume", execution, "--from", "review", "--json")

    cli.script(**_good(requirements_doc=["no JSON"]))
    results["run: to a QA limit"] = cli("run", cli.brief, "--project", "gated", "--answers", answers, "--json")
    cli.script(**_good(requirements_doc=[{"error": "transient"}]))
    results["run: provider away"] = cli("run", cli.brief, "--project", "away", "--answers", answers, "--json")
    cli.script(**_good(requirements_doc=[{"error": "permanent"}]))
    results["run: provider refuses"] = cli("run", cli.brief, "--project", "refused", "--answers", answers, "--json")
    results["cancel: done"] = cli("cancel", played.id_of("run: provider away"), "--json")


def _looks(played: Played) -> None:
    """What the commands print that only look, or change little; and what they print when they refuse."""
    cli, execution = played.cli, played.execution
    events = [json.loads(line) for line in cli.here("watch", execution, "--json").out.splitlines()]
    begun, ended = (
        [event["data"]["call_id"] for event in events if event["kind"] == kind]
        for kind in ("call_started", "call_finished")
    )
    [lost] = set(begun) - set(ended)
    recording, changed = str(cli.folder / "recording.json"), cli.folder / "changed.json"
    for name, arguments in {
        "show: with a call of unknown outcome": ("show", execution),
        "costs: with a call of unknown outcome": ("costs",),
        "settle: done": ("settle", execution, lost, "--usd", "0.12"),
        "settle: unknown call": ("settle", execution, "ffffffff", "--usd", "0.12"),
        "run: estimate": ("run", cli.brief, "--estimate"),
        "run: no brief": ("run", "nowhere.txt"),
        "answer: nothing is asked": ("answer", execution),
        "accept: nothing waits": ("accept", execution),
        "reject: nothing waits": ("reject", execution, "--reason", "No."),
        "resume: completed": ("resume", execution),
        "cancel: completed": ("cancel", execution),
        "list: two": ("list",),
        "list: none": ("list", "--status", "failed"),
        "show: completed": ("show", execution),
        "show: unknown": ("show", "ffffffff"),
        "watch: completed": ("watch", execution),
        "record: to a file": ("record", execution, "--out", recording),
        "replay: of an execution": ("replay", execution),
        "replay: of a file": ("replay", recording),
        "costs: by day": ("costs",),
        "costs: by step": ("costs", "--by", "step"),
        "doctor: well": ("doctor",),
        "docs list: all": ("docs", "list"),
        "docs list: briefs": ("docs", "list", "--type", "brief"),
        "docs show: one": ("docs", "show", "requirements-doc"),
        "docs show: unknown": ("docs", "show", "nonsense"),
        "docs diff: two": ("docs", "diff", "requirements-doc"),
        "docs export: to files": ("docs", "export", "--project", "cakes", "--out", str(cli.folder / "docs")),
        "projects budget: set": ("projects", "budget", "cakes", "50"),
        "projects list: one": ("projects", "list"),
        "workflows list: all": ("workflows", "list"),
        "workflows show: one": ("workflows", "show"),
        "workflows validate: well": ("workflows", "validate", str(played.other.folder / "own")),
        "workflows validate: faults": ("workflows", "validate", cli.write("faulty.json", '{"steps": [{}]}')),
        "tokens create: one": ("tokens", "create", "mine", "--scope", "run"),
        "tokens list: one": ("tokens", "list"),
        "db upgrade: done": ("db", "upgrade"),
        "db status: up": ("db", "status"),
    }.items():
        played.results[name] = cli.here(*arguments, "--json")
    for name, arguments in {"list: of every status": ("list",), "projects list: many": ("projects", "list")}.items():
        played.results[name] = played.other.here(*arguments, "--json")
    token = played.results["tokens list: one"].json[0]["id"]
    played.results["tokens revoke: one"] = cli.here("tokens", "revoke", token, "--json")
    document = json.loads(Path(recording).read_text(encoding="utf-8"))
    document["documents"][-1]["content"]["overall_assessment"]["summary"] = "Splendid."
    changed.write_text(json.dumps(document), encoding="utf-8")
    played.results["replay: of a changed file"] = cli.here("replay", str(changed), "--json")
    away = {"COMBINE_DATABASE_URL": "postgresql://127.0.0.1:1/nothing"}
    own = {"COMBINE_DATABASE_URL": "", "COMBINE_DATA_DIR": str(cli.folder / "data")}
    for name, arguments, environment in (
        ("doctor: no database", ("doctor",), away),
        ("db status: away", ("db", "status"), away),
        ("list: no database", ("list",), away),
        ("list: no server", ("list",), {"COMBINE_SERVER": "http://127.0.0.1:1", "COMBINE_TOKEN": "cmb_x"}),
        ("db stop: none", ("db", "stop"), own),
        ("db stop: of one's own", ("db", "stop"), {}),
    ):
        played.results[name] = cli.here(*arguments, "--json", **environment)


def _cli(folder: Path, bytecode: Path, url: str) -> Cli:
    folder.mkdir()
    return Cli(folder, url, bytecode, dict(_MONEY))


def _reply(type_: str, **changes: Any) -> dict[str, Any]:
    return reply(type_, **_USAGE, **changes)


def _good(**changes: Any) -> dict[str, Any]:
    return {type_.replace("-", "_"): [_reply(type_)] for type_ in TYPES} | changes


def gated_workflow(folder: Path) -> Path:
    """The built-in workflow under another name, with a gate behind its first step."""
    seed = Path(next(iter(combine.seed.__path__)))
    definition = json.loads((seed / "workflows" / "strategy-document.json").read_text(encoding="utf-8"))
    definition["workflow_id"] = "gated"
    definition["steps"][0]["requires_acceptance"] = True
    for name in ("workflows", "prompts/tasks"):
        (folder / name).mkdir(parents=True)
    (folder / "workflows" / "gated.json").write_text(json.dumps(definition), encoding="utf-8")
    for step in definition["steps"]:
        task = f"{step['step_id']}.txt"
        shutil.copy(seed / f"prompts/tasks/strategy-document-{task}", folder / f"prompts/tasks/gated-{task}")
    return folder


def _wait_for_a_call(url: str, step_id: str, process: Popen[str], seconds: float = 60) -> None:
    """Until the request of that step has left."""
    deadline = monotonic() + seconds
    with psycopg.connect(url, autocommit=True) as connection:
        while not connection.execute("SELECT 1 FROM llm_calls WHERE step_id = %s", [step_id]).fetchall():
            if process.poll() is not None or monotonic() > deadline:
                return
            sleep(0.02)

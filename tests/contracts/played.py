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
    """The results of the commands by name, and who can look at what they left."""

    cli: Cli
    """On the database of the scripted execution."""
    other: Cli
    """On the database of all others."""
    results: dict[str, Result] = field(default_factory=dict)

    @property
    def execution(self) -> str:
        """The id of the scripted execution."""
        return self.id_of("run, asks")

    def id_of(self, name: str) -> str:
        """Of the execution that this command was about."""
        return self.results[name].json["execution_id"]

    def recorded(self) -> list[tuple[Cli, str]]:
        """Executions that between them have all that a recording can hold."""
        others = ("accept", "fork", "run, to a QA limit")
        return [(self.cli, self.execution), *((self.other, self.id_of(name)) for name in others)]


def play(folder: Path, bytecode: Path, url: str, other_url: str) -> Played:
    """All of it; independent executions side by side."""
    played = Played(_cli(folder / "one", bytecode, url), _cli(folder / "many", bytecode, other_url))
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(scripted_execution, played), pool.submit(_others, played)]:
            done.result()
    return played


def scripted_execution(played: Played) -> None:
    """Questions and answers, a remediation, a process that is lost in a call, a revision, and a cap that is reached."""
    cli, results = played.cli, played.results
    cli.script(project_discovery=[asking(*QUESTIONS) | _USAGE])
    results["run, asks"] = cli("run", cli.brief, "--project", "cakes", "--budget", "2.55", "--json")
    execution = played.execution

    invented = document("requirements-doc")
    invented["functional_requirements"][0]["sources"][0]["quote"] = "words that nobody has ever written"
    bad = {"json": {"questions": [], "document": invented}, **_USAGE}
    cli.script(**_good(requirements_doc=[bad, _reply(TYPES[1])], architecture_doc=[_reply(TYPES[2], delay_s=100)]))
    answers = cli.write("answers.yaml", _ANSWERS)
    answering = cli.begin("answer", execution, "--answers", answers, "--no-questions", "--json")
    try:
        _wait_for_a_call(cli.url, "architecture", answering)
    finally:
        answering.kill()
        told = answering.communicate()
    assert answering.returncode < 0, told

    sends_back = {"json": {"document": bakery.rejecting_review()}, **_USAGE}
    cli.script(**_good(strategy_review=[sends_back]))
    results["resume, to a cap"] = cli("resume", execution, "--json")
    cli.script(**_good())
    results["resume, to the end"] = cli("resume", execution, "--budget", "20", "--json")


def _others(played: Played) -> None:
    """At a gate, at a QA limit, and without a provider."""
    cli, results = played.other, played.results
    cli.environment["COMBINE_WORKFLOWS_DIR"] = str(gated_workflow(cli.folder / "own"))
    cli.script()
    start = ("run", cli.brief, "--workflow", "gated", "--project", "gated", "--json")
    results["run, asks at a gate"] = cli(*start)
    execution = played.id_of("run, asks at a gate")
    answers = cli.write("answers.yaml", _ANSWERS)
    cli.script(**_good())
    results["answer"] = cli("answer", execution, "--answers", answers, "--no-questions", "--json")
    results["reject"] = cli("reject", execution, "--reason", "Say who bakes.", "--json")
    results["accept"] = cli("accept", execution, "--out", str(cli.folder / "out"), "--json")
    results["fork"] = cli("resume", execution, "--from", "review", "--json")

    cli.script(**_good(requirements_doc=["no JSON"]))
    results["run, to a QA limit"] = cli("run", cli.brief, "--project", "gated", "--answers", answers, "--json")
    cli.script(**_good(requirements_doc=[{"error": "transient"}]))
    results["run, provider away"] = cli("run", cli.brief, "--project", "away", "--answers", answers, "--json")
    cli.script(**_good(requirements_doc=[{"error": "permanent"}]))
    results["run, provider refuses"] = cli("run", cli.brief, "--project", "refused", "--answers", answers, "--json")
    results["cancel"] = cli("cancel", played.id_of("run, provider away"), "--json")


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

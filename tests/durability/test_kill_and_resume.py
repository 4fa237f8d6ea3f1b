"""kill -9 of the command at every call, then `combine resume`: it goes on and pays nothing twice.

Real processes, real PostgreSQL, the real Anthropic SDK over HTTP against a provider that counts.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import bakery
import psycopg
import pytest
from fake_llm import FakeLLM, Received

from combine.storage.core.urls import libpq_url

COMBINE = str(Path(sys.executable).with_name("combine"))


class Provider:
    """Answers with the bakery's documents; can hold one answer back until it is let go."""

    def __init__(self) -> None:
        self.hold_at: str | None = None
        self.held, self.release = threading.Event(), threading.Event()
        self.fake = FakeLLM(self._answer)

    def _answer(self, received: Received):
        type_ = received.document_type
        if type_ == self.hold_at:
            self.hold_at = None
            self.held.set()
            self.release.wait(30)
        if type_ == "project-discovery" and '"id":"Q-1"' not in received.user:
            return bakery.asking()
        return bakery.reply(bakery.document(type_))

    def counts(self) -> Counter[str]:
        return Counter(received.document_type for received in self.fake.requests)


@pytest.fixture
def provider():
    served = Provider()
    with served.fake:
        yield served
        served.release.set()


@pytest.fixture
def command(database_url, provider, tmp_path):
    brief = tmp_path / "bakery.md"
    brief.write_text(bakery.BRIEF, encoding="utf-8")
    answers = tmp_path / "answers.yaml"
    answers.write_text(f"{bakery.QUESTION['text']!r}: Offer the next free day.\n", encoding="utf-8")
    environment = provider.fake.env() | {"COMBINE_DATABASE_URL": database_url, "HOME": str(tmp_path)}

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMBINE, *arguments],
            env=environment,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    start.brief, start.answers = str(brief), str(answers)
    return start


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def rows(database_url: str, query: str) -> list[tuple]:
    with psycopg.connect(libpq_url(database_url)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("type_", bakery.TYPES)
def test_killed_in_a_call_and_resumed(command, provider, database_url, type_):
    provider.hold_at = type_
    running = command("run", command.brief, "--answers", command.answers, "--model", "claude-sonnet-5-5", "--json")
    assert provider.held.wait(60)
    os.kill(running.pid, signal.SIGKILL)
    ended(running)
    provider.release.set()
    before = provider.counts()
    ((execution, status),) = rows(database_url, "SELECT id::text, status FROM executions")
    assert status == "running"

    code, out, err = ended(command("resume", execution, "--json"))
    assert code == 0, err
    result = json.loads(out)
    assert result["status"] == "completed"
    assert sorted((d["type"], d["version"]) for d in result["documents"]) == sorted((t, 1) for t in bakery.TYPES)

    after = provider.counts()
    finished_before = before - Counter([type_])
    expected = Counter(bakery.TYPES) + Counter(["project-discovery"]) + Counter([type_])
    assert after == expected, "each finished call once, the call in flight once more"
    assert finished_before <= after
    states = Counter(state for (state,) in rows(database_url, "SELECT state FROM llm_calls"))
    assert states == {"replied": 5, "outcome_unknown": 1}
    ((reserved, spent),) = rows(database_url, "SELECT reserved_usd, spent_usd FROM executions")
    assert reserved > 0, "the call with the unknown outcome counts as spent"
    ((sum_of_calls,),) = rows(database_url, "SELECT sum(cost_usd) FROM llm_calls")
    assert spent == sum_of_calls > 0
    assert result["calls"] == 6


def test_a_worker_takes_over_what_a_killed_command_left(command, provider, database_url):
    provider.hold_at = "requirements-doc"
    running = command("run", command.brief, "--answers", command.answers, "--model", "claude-sonnet-5-5")
    assert provider.held.wait(60)
    os.kill(running.pid, signal.SIGKILL)
    ended(running)
    provider.release.set()
    worker = command("worker")
    ((execution,),) = rows(database_url, "SELECT id::text FROM executions")
    code, out, err = ended(command("watch", execution, "--json"))
    assert code == 0, out + err
    worker.send_signal(signal.SIGTERM)
    code, _, err = ended(worker)
    assert code == 0, err
    assert rows(database_url, "SELECT status FROM executions") == [("completed",)]
    assert rows(database_url, "SELECT count(*) FROM executors") == [(0,)]
    assert provider.counts()["requirements-doc"] == 2
    assert provider.counts()["project-discovery"] == 2


def test_two_processes_told_to_resume_the_same_execution(command, provider, database_url):
    provider.hold_at = "architecture-doc"
    running = command("run", command.brief, "--answers", command.answers, "--model", "claude-sonnet-5-5")
    assert provider.held.wait(60)
    os.kill(running.pid, signal.SIGKILL)
    ended(running)
    provider.release.set()
    ((execution,),) = rows(database_url, "SELECT id::text FROM executions")
    both = [command("resume", execution) for _ in range(2)]
    codes = sorted(ended(process)[0] for process in both)
    assert codes[0] == 0
    assert codes[1] in {0, 2}
    assert provider.counts()["architecture-doc"] == 2
    assert provider.counts()["strategy-review"] == 1


def test_ctrl_c_lets_go_at_once_and_resume_goes_on(command, provider, database_url):
    provider.hold_at = "requirements-doc"
    running = command("run", command.brief, "--answers", command.answers, "--model", "claude-sonnet-5-5")
    assert provider.held.wait(60)
    running.send_signal(signal.SIGINT)
    said = next(line for line in running.stderr if "Stopping" in line)  # before that it goes on as if nothing were
    provider.release.set()
    code, _, err = ended(running)
    assert code == 1
    assert "combine resume" in said + err
    assert "Traceback" not in err
    ((execution,),) = rows(database_url, "SELECT id::text FROM executions")
    code, _, err = ended(command("resume", execution))
    assert code == 0, err
    assert provider.counts()["requirements-doc"] == 1, "the call in flight was let finish, not cut"


def test_questions_survive_a_restart(command, provider, database_url):
    code, out, err = ended(command("run", command.brief, "--model", "claude-sonnet-5-5", "--json"))
    assert code == 3, err
    waiting = json.loads(out)
    assert [question["id"] for question in waiting["questions"]] == ["Q-1"]
    code, out, err = ended(command("answer", waiting["execution_id"], "--answers", command.answers, "--json"))
    assert code == 0, err
    assert json.loads(out)["status"] == "completed"
    assert provider.counts()["project-discovery"] == 2
    assert "Offer the next free day." in provider.fake.requests[-1].user


def test_the_brief_is_in_the_first_request(command, provider):
    ended(command("run", command.brief, "--model", "claude-sonnet-5-5"))
    first = provider.fake.requests[0]
    for line in bakery.BRIEF.strip().splitlines():
        assert line in first.user

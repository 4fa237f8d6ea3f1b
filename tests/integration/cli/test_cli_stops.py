"""Each way an execution can stop, its exit code, and how it goes on."""

from __future__ import annotations

import copy
import json
import signal

import pytest
from scripted_bakery import QUESTIONS, document, reply


def start(cli, *arguments, ask=False, **environment):
    quiet = () if ask else ("--no-questions",)
    return cli("run", cli.brief, "--project", "cakes", "--json", *quiet, *arguments, **environment)


def test_questions_wait_and_the_answers_bind(cli):
    stopped = start(cli, ask=True)
    name = stopped.json["execution_id"]
    assert (stopped.code, stopped.json["status"]) == (3, "waiting_for_answers")
    assert [(one["id"], one["answer"]) for one in stopped.json["questions"]] == [("Q-1", None), ("Q-2", None)]
    asked = cli("answer", name)
    assert asked.code == 3
    assert QUESTIONS[0]["text"] in asked.out
    assert f"combine answer {name[:8]}" in asked.out

    wrong = cli("answer", name, "--answers", cli.write("wrong.yaml", "Q-2: a lot\n"))
    assert wrong.code == 2
    assert "Q-2" in wrong.err
    unknown = cli("answer", name, "--answers", cli.write("unknown.yaml", "Q-9: 5\n"))
    assert unknown.code == 2
    assert "Q-1" in unknown.err

    some = cli.write("some.json", json.dumps({"Q-1": 1, "Q-7": "x"}))
    half = cli("answer", name, "--answers", some)
    assert half.code == 3
    assert "'Q-7'" in half.err
    done = cli("answer", name, "--answers", cli.write("rest.yaml", f'"{QUESTIONS[1]["text"]}": 3\n'), "--json")
    assert (done.code, done.json["status"]) == (0, "completed"), done.err
    assert [one["answer"] for one in done.json["questions"]] == ["Offer the next free day.", "3"]
    again = cli("answer", name, "--no-questions")
    assert again.code == 2
    assert name[:8] in again.err


def test_answers_in_advance_of_which_one_is_unusable_and_one_is_not_asked(cli):
    answers = cli.write("answers.yaml", "Q-1: offer the next free day.\nQ-2: several\nWhich colour?: blue\n")
    stopped = start(cli, "--answers", answers, ask=True)
    assert stopped.code == 3
    assert "'several'" in stopped.err
    assert [one["answer"] for one in stopped.json["questions"]] == ["Offer the next free day.", None]


def test_a_budget_stops_before_the_call_and_can_be_raised(cli):
    prices = {"COMBINE_LLM_PRICES": '{"scripted": {"input": 3, "output": 15}}'}
    stopped = start(cli, "--budget", "0.01", **prices)
    name = stopped.json["execution_id"]
    assert (stopped.code, stopped.json["status"], stopped.json["calls"]) == (4, "waiting_for_budget", 0)
    assert f"combine resume {name[:8]} --budget USD" in cli.here("show", name).out
    assert cli("resume", name, **prices).code == 2
    done = cli("resume", name, "--budget", "100", "--json", **prices)
    assert done.code == 0, done.err
    assert 0 < done.json["cost_usd"] < 1


def test_no_budget_without_a_price(cli):
    cli.environment["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1"
    refused = cli("run", cli.brief, "--model", "openai:nobody", "--budget", "1")
    assert refused.code == 2
    assert "COMBINE_LLM_PRICES" in refused.err
    assert "--allow-unpriced" in refused.err
    arguments = ("run", cli.brief, "--model", "openai:nobody", "--budget", "1", "--allow-unpriced")
    allowed = cli(*arguments, COMBINE_LLM_MAX_RETRIES="0")
    assert allowed.code == 6  # nobody listens there
    assert "openai:nobody" in allowed.err


def test_the_caps_of_a_project_and_of_a_day(cli):
    prices = {"COMBINE_LLM_PRICES": '{"scripted": {"input": 3, "output": 15}}'}
    assert cli.here("projects", "budget", "cakes", "5").code == 2
    stopped = start(cli, COMBINE_DAILY_BUDGET_USD="0.01", **prices)
    name = stopped.json["execution_id"]
    assert (stopped.code, stopped.json["status"]) == (4, "waiting_for_budget")
    assert "COMBINE_DAILY_BUDGET_USD" in cli.here("show", name).out

    assert "cap of 0.0100 USD" in cli.here("projects", "budget", "cakes", "0.01").out
    stopped = cli("resume", name, **prices)
    assert stopped.code == 4
    assert f"combine projects budget cakes USD, then combine resume {name[:8]}" in stopped.out
    for amount in ("0", "-1", "much"):
        assert cli.here("projects", "budget", "cakes", amount).code == 2
    (listed,) = cli.here("projects", "list", "--json").json
    assert listed | {"budget_usd": 0.01, "spent_usd": 0.0, "reserved_usd": 0.0} == listed
    assert cli.here("projects", "budget", "cakes", "none", "--json").json["budget_usd"] is None
    done = cli("resume", name, "--json", **prices)
    assert (done.code, done.json["status"]) == (0, "completed"), done.err
    page = cli.here("projects", "list").out.splitlines()
    assert page[0].split() == ["PROJECT", "DOCUMENTS", "EXECUTIONS", "CAP", "SPENT", "RESERVED"]
    assert page[1].split()[:4] == ["cakes", "4", "1", "none"]


def test_an_estimate_begins_nothing(cli):
    prices = {"COMBINE_LLM_PRICES": '{"scripted": {"input": 3, "output": 15}}'}
    said = cli.here("run", cli.brief, "--estimate", **prices)
    assert said.code == 0, said.err
    assert said.out.startswith("Estimate: ")
    assert "2.5 to 4 characters per token" in said.out
    found = cli.here("run", cli.brief, "--estimate", "--json", **prices).json
    assert 0 < found["usd"]["low"] < found["usd"]["high"]
    assert cli.here("list", "--json").json == []
    assert cli.here("run", cli.brief, "--estimate", "--model", "offline").out == "Estimate: 0 USD: no language model\n"
    assert "unknown price" in cli.here("run", cli.brief, "--estimate", "--model", "openai:nobody-knows").out
    assert "Estimate: " in start(cli).err
    assert "from 1 earlier execution)" in cli.here("run", cli.brief, "--estimate").out


def test_a_provider_that_is_away_is_waited_for(cli):
    down = {"error": {"kind": "transient", "code": "provider_overloaded", "message": "It is overloaded."}}
    cli.script(requirements_doc=[down])
    stopped = start(cli)
    assert (stopped.code, stopped.json["status"]) == (6, "waiting_for_provider")
    assert [one["type"] for one in stopped.json["documents"]] == ["project-discovery"]
    cli.script()
    done = cli("resume", stopped.json["execution_id"], "--json")
    assert (done.code, done.json["status"]) == (0, "completed")
    assert "discovery" not in done.err  # finished before, neither done nor told again


def test_a_provider_that_refuses_is_said_with_the_next_step(cli):
    cli.script(project_discovery=[{"error": {"kind": "permanent", "message": "The key is not valid."}}])
    stopped = cli("run", cli.brief)
    assert stopped.code == 6
    assert "The key is not valid." in stopped.out
    assert "then combine resume" in stopped.out


def test_without_a_key_nothing_begins_and_offline_is_offered(cli):
    refused = cli("run", cli.brief, "--model", "claude-sonnet-4-20250514")
    assert refused.code == 6
    assert "Warning: claude-sonnet-4-20250514 was retired" in refused.err
    assert "ANTHROPIC_API_KEY" in refused.err
    assert "--model offline" in refused.err
    assert cli.here("list", "--json").json == []


def bad_requirements():
    """A quote that nobody wrote."""
    broken = copy.deepcopy(document("requirements-doc"))
    broken["functional_requirements"][0]["sources"][0]["quote"] = "the moon is made of cheese"
    return {"json": {"questions": [], "document": broken}}


def test_the_qa_limit_asks_for_a_decision(cli):
    mended = reply("requirements-doc", when={"contains": "Quote the brief."})
    cli.script(requirements_doc=[bad_requirements(), mended])
    stopped = start(cli)
    name = stopped.json["execution_id"]
    assert (stopped.code, stopped.json["status"]) == (5, "waiting_for_decision")
    assert {one["code"] for one in stopped.json["findings"]} == {"quote_not_found"}
    for arguments, words in (
        ((), "--decision accept-anyway"),
        (("--decision", "try-again"), "uidance"),
        (("--guidance", "x"), "--decision try-again"),
        (("--decision", "sideways"), "sideways"),
    ):
        refused = cli("resume", name, *arguments)
        assert refused.code == 2
        assert words in refused.err
    done = cli("resume", name, "--decision", "try-again", "--guidance", "Quote the brief.", "--json")
    assert (done.code, done.json["status"]) == (0, "completed"), done.err


def test_a_document_with_findings_can_be_accepted_anyway(cli):
    cli.script(requirements_doc=[bad_requirements()])
    stopped = start(cli)
    assert stopped.code == 5
    done = cli("resume", stopped.json["execution_id"], "--decision", "accept-anyway", "--json")
    assert (done.code, done.json["status"]) == (0, "completed"), done.err


GATE = {
    "workflow_id": "gate",
    "name": "One document that waits",
    "version": "1",
    "steps": [
        {
            "step_id": "draft",
            "role": "PM",
            "inputs": [],
            "outputs": ["project-discovery"],
            "is_final": True,
            "requires_acceptance": True,
        }
    ],
}


@pytest.fixture
def gate(cli):
    """A workflow of the test's own with an acceptance gate."""
    folder = cli.folder / "own"
    for name in ("workflows", "prompts/tasks"):
        (folder / name).mkdir(parents=True)
    (folder / "workflows" / "gate.json").write_text(json.dumps(GATE), encoding="utf-8")
    (folder / "prompts" / "tasks" / "gate-draft.txt").write_text("Write the discovery.", encoding="utf-8")
    cli.environment["COMBINE_WORKFLOWS_DIR"] = str(folder)
    cli.script(project_discovery=[reply("project-discovery")])  # a final step asks nothing
    return cli


def test_a_document_waits_for_acceptance(gate):
    stopped = start(gate, "--workflow", "gate")
    name = stopped.json["execution_id"]
    assert (stopped.code, stopped.json["status"]) == (3, "waiting_for_acceptance"), stopped.err
    assert gate("reject", name, "--reason", " ").code == 2
    back = gate("reject", name, "--reason", "Name the owner.", "--json")
    assert back.code == 3, back.err
    assert [one["version"] for one in back.json["documents"]] == [2]
    refused = gate("accept", name, "--step", "nothing")
    assert refused.code == 2
    assert all(part in refused.err for part in ("nothing", "not waiting", "draft"))
    done = gate("accept", name, "--json")
    assert (done.code, done.json["status"]) == (0, "completed"), done.err
    assert gate("accept", name).code == 2


def test_acceptance_at_a_terminal(gate):
    terminal = gate.terminal("run", gate.brief, "--workflow", "gate")
    terminal.expect_exact("combine docs show")
    terminal.expect_exact("> ")
    terminal.sendline("send")
    terminal.expect_exact("> ")
    terminal.sendline("Name the owner.")
    terminal.expect_exact("is waiting for acceptance")
    terminal.expect_exact("> ")
    terminal.sendline("9")
    terminal.expect_exact("from 1 to 3")
    terminal.sendline("1")
    terminal.expect_exact("Completed: 1 document")
    code, _ = gate.finish(terminal)
    assert code == 0


def test_cancel_is_for_good(cli):
    name = start(cli, ask=True).json["execution_id"]
    ended = cli.here("cancel", name, "--json")
    assert (ended.code, ended.json["status"]) == (0, "cancelled")
    assert cli.here("cancel", name).code == 2
    refused = cli("resume", name)
    assert refused.code == 2
    assert "combine run BRIEF" in refused.err


def test_a_stopped_process_hands_over_to_a_worker(cli):
    cli.script(requirements_doc=[reply("requirements-doc", delay_s=30)])
    process = cli.begin("run", cli.brief, "--no-questions", COMBINE_DRAIN_GRACE="0.2")
    for line in process.stderr:
        if "drafting requirements-doc" in line:
            process.send_signal(signal.SIGTERM)
            break
    out, err = process.communicate()
    assert process.returncode == 1, err
    assert out == ""
    assert "combine resume" in err
    assert "Traceback" not in err
    assert "[warning" not in err, "the engine's own words for what the two lines above say"
    name = cli.here("list", "--json").json[0]["id"]

    cli.script()
    worker = cli.begin("worker")
    try:
        assert "Worker ready" in worker.stderr.readline()
        watched = cli("watch", name)
        assert watched.code == 0, watched.err
        page = cli.here("show", name).out
        assert "outcome unknown" in page
        assert "discovery     PM         project-discovery  done          2" in page
    finally:
        worker.send_signal(signal.SIGTERM)
        _, err = worker.communicate()
    assert worker.returncode == 0, err
    assert "Traceback" not in err


def test_questions_at_a_terminal_one_by_one(cli):
    terminal = cli.terminal("run", cli.brief, "--out", "out")
    terminal.expect_exact("[1/2] Q-1 When a day is full")
    terminal.expect_exact("> ")
    terminal.sendline("perhaps")
    terminal.expect_exact("Offer the next free day.; Say sorry and stop.")
    terminal.sendline("1")
    terminal.expect_exact("[2/2] Q-2 How many cakes may one customer order at once? (optional)")
    terminal.expect_exact("> ")
    terminal.sendline("")
    terminal.expect_exact("Completed: 4 documents")
    code, page = cli.finish(terminal)
    assert code == 0
    assert "out/strategy-review.md" in page
    (found,) = cli.here("list", "--json").json
    answers = [
        (one["answer"], one["assumption_id"]) for one in cli.here("show", found["id"], "--json").json["questions"]
    ]
    assert answers == [("Offer the next free day.", None), (QUESTIONS[1]["default"], "ASM-001")]


def test_an_answer_given_before_control_c_is_kept(cli):
    terminal = cli.terminal("run", cli.brief)
    terminal.expect_exact("[1/2]")
    terminal.expect_exact("> ")
    terminal.sendline("1")
    terminal.expect_exact("[2/2]")
    terminal.expect_exact("> ")
    terminal.sendintr()
    terminal.expect_exact("Next: combine answer ")
    code, rest = cli.finish(terminal)
    assert code == 1
    assert "Traceback" not in rest
    (found,) = cli.here("list", "--json").json
    assert found["status"] == "waiting_for_answers"
    assert [one["answer"] for one in cli.here("show", found["id"], "--json").json["questions"]] == [
        "Offer the next free day.",
        None,
    ]

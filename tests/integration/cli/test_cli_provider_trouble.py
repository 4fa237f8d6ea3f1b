"""What a provider in trouble looks like to the person at the command line: over real HTTP, from end to end."""

from __future__ import annotations

import json
import re
import signal
from collections import Counter
from decimal import Decimal

import psycopg
import pytest
from fake_llm import Broken, Error, FakeLLM, Reply
from reserved_port import reserved_port
from scripted_bakery import QUESTIONS, TYPES, asking, document

from combine.storage.core.urls import libpq_url

MODEL = "anthropic:claude-sonnet-5-5"
KEY = "sk-ant-very-secret"


class Bakery:
    """Answers with the bakery's documents; before those of each type come its faults."""

    def __init__(self, **faults):
        self.faults = {name.replace("_", "-"): list(listed) for name, listed in faults.items()}
        self.down = False

    def __call__(self, received):
        if self.down:
            return Error(529, "overloaded_error", "Overloaded")
        type_ = received.document_type
        if self.faults.get(type_):
            return self.faults[type_].pop(0)
        if type_ == TYPES[0] and '"Q-1"' not in received.prompt:
            return asking(*QUESTIONS)["json"]
        asks = {} if type_ == TYPES[-1] else {"questions": []}
        return {**asks, "document": document(type_)}


def talk_to(cli, fake, **settings):
    cli.environment |= {
        "ANTHROPIC_BASE_URL": fake.anthropic_url,
        "ANTHROPIC_API_KEY": KEY,
        "COMBINE_LLM_MAX_RETRIES": "0",
        **settings,
    }


def run(cli, *arguments, model=MODEL, project="cakes"):
    return cli("run", cli.brief, "--project", project, "--no-questions", "--model", model, *arguments)


SPENT = Error(429, "rate_limit_error", "You have reached your limit.", code="enforced_spend_limit_reached")


@pytest.mark.parametrize(
    ("fault", "settings", "code", "says"),
    [
        (SPENT, {}, "spend_limit_reached", "Raise the limit in the provider's console"),
        (None, {"ANTHROPIC_API_KEY": "sk-ant-mistyped"}, "api_key_rejected", "Check ANTHROPIC_API_KEY"),
        (Error(404, "not_found_error", "model: gone"), {}, "model_not_found", "--model"),
        (None, {"ANTHROPIC_BASE_URL": "https"}, "tls_failed", "ANTHROPIC_BASE_URL (http or https?)"),
    ],
    ids=["spend limit", "wrong key", "retired model", "TLS"],
)
def test_what_cannot_pass_stops_at_once_and_says_what_to_do(cli, fault, settings, code, says):
    script = Bakery(project_discovery=[fault] if fault else [])
    with FakeLLM(script, api_key=KEY) as fake:
        if "ANTHROPIC_BASE_URL" in settings:
            settings = {"ANTHROPIC_BASE_URL": fake.url.replace("http:", "https:")}
        talk_to(cli, fake, **({"COMBINE_LLM_MAX_RETRIES": "3"} | settings))
        stopped = run(cli)
        assert (stopped.code, stopped.out.splitlines()[0][:7]) == (6, "Failed:"), stopped.err
        assert says in stopped.out
        assert KEY not in stopped.out + stopped.err
        assert "sk-ant-mistyped" not in stopped.out + stopped.err
        assert len(fake.requests) == (0 if code == "tls_failed" else 1)
    (found,) = cli.here("list", "--json").json
    assert (found["status"], found["reason_code"], found["next_try_at"]) == ("failed", f"provider.{code}", None)


@pytest.mark.parametrize(
    ("file", "why"),
    [("/nowhere.pem", "no such file or directory"), (__file__, "no certificate or crl found")],
    ids=["missing", "none"],
)
def test_certificates_that_cannot_be_read_are_said_before_anything_begins(cli, file, why):
    with FakeLLM(Bakery(), api_key=KEY) as fake:
        talk_to(cli, fake, SSL_CERT_FILE=file)
        stopped = run(cli)
    assert (stopped.code, stopped.out, fake.requests) == (6, "", [])
    assert why in stopped.err
    assert "SSL_CERT_FILE" in stopped.err
    assert "Traceback" not in stopped.err
    assert cli.here("list", "--json").json == []


@pytest.mark.parametrize(
    ("where", "code"),
    [("http://no-such-host.invalid", "dns_failed"), ("http://127.0.0.1:{port}", "connection_failed")],
    ids=["DNS", "refused"],
)
def test_a_provider_that_cannot_be_reached_is_waited_for(cli, where, code):
    with FakeLLM(Bakery()) as fake, reserved_port() as port:
        talk_to(cli, fake, ANTHROPIC_BASE_URL=where.format(port=port))
        stopped = run(cli)
    (found,) = cli.here("list", "--json").json
    assert (stopped.code, found["status"], found["reason_code"]) == (6, "waiting_for_provider", f"provider.{code}")
    assert (found["waits_for"], found["tries"]) == ("anthropic", 1)
    assert found["next_try_at"]
    assert "ANTHROPIC_BASE_URL" in stopped.out


@pytest.mark.parametrize("model", [MODEL, "openai:gpt-5"])
def test_what_may_pass_is_tried_again_and_all_of_it_is_booked(cli, model):
    script = Bakery(
        project_discovery=[
            Error(429, "rate_limit_error"),
            Error(429, "rate_limit_error", headers={"retry-after": "1"}),
        ],
        requirements_doc=[Error(529, "overloaded_error"), Broken("stall", after=5)],
        architecture_doc=[Error(500), Broken("cut", after=5)],
        strategy_review=[Broken("no_stop")],
    )
    with FakeLLM(script) as fake:
        billed: Counter[str] = Counter()
        count = fake._cache.count

        def counted(*given):
            counts = count(*given)
            billed["input"] += counts.input + counts.read + counts.written
            return counts

        fake._cache.count = counted
        env = {name: value for name, value in fake.env().items() if name.startswith(("ANTHROPIC_", "OPENAI_"))}
        talk_to(cli, fake, **env, COMBINE_LLM_MAX_RETRIES="2", COMBINE_LLM_READ_TIMEOUT="5")
        done = run(cli, "--json", model=model)
        assert done.code == 0, done.err
        received = Counter(one.document_type for one in fake.requests)
    with psycopg.connect(cli.url.replace("+psycopg", "")) as connection:
        rows = connection.execute(
            "SELECT transport_attempts, input_tokens + cache_read_tokens + cache_write_tokens, cost_usd FROM llm_calls"
        ).fetchall()
    assert sum(attempts for attempts, _, _ in rows) == received.total() == 4 + 1 + 7
    if model == MODEL:  # OpenAI's streams state the tokens in their last event, so a broken one is estimated
        assert sum(tokens for _, tokens, _ in rows) == billed["input"]
    else:
        clean = billed["input"] * 5 / 8
        assert clean < sum(tokens for _, tokens, _ in rows) < 2 * billed["input"]
    assert all(cost or model != MODEL for _, _, cost in rows)  # nobody knows a price of the other one, here


def test_an_outage_is_ridden_out_by_a_worker(cli):
    script = Bakery()
    script.down = True
    with FakeLLM(script) as fake:
        talk_to(cli, fake)
        stopped = run(cli)
        assert stopped.code == 6
        assert "combine worker" in stopped.out
        assert "combine resume " in stopped.out
        others = [run(cli, "--json", project=project) for project in ("pies", "bread")]
        assert [one.json["status"] for one in others] == ["waiting_for_provider"] * 2
        listed = cli.here("list", "--json").json
        assert len({one["next_try_at"] for one in listed}) == 1
        name = listed[0]["id"]
        assert "Waiting for anthropic: " in cli.here("show", name).out

        script.down = False
        asked = len(fake.requests)
        with psycopg.connect(cli.url.replace("+psycopg", "")) as connection:
            connection.execute("UPDATE executions SET next_try_at = clock_timestamp()")  # half a minute later
        worker = cli.begin("worker")
        try:
            for one in listed:
                for _ in range(20):  # a watch ends at once while it still waits
                    watched = cli("watch", one["id"])
                    if watched.code == 0:
                        break
                assert watched.code == 0, watched.err
        finally:
            worker.send_signal(signal.SIGTERM)
            _, err = worker.communicate()
        assert worker.returncode == 0, err
        assert len(fake.requests) - asked == 3 * 5
    assert {one["status"] for one in cli.here("list", "--json").json} == {"completed"}


FALLBACK = {
    "workflow_id": "spare",
    "name": "One document with a fallback",
    "version": "1",
    "steps": [
        {
            "step_id": "draft",
            "role": "PM",
            "inputs": [],
            "outputs": ["project-discovery"],
            "is_final": True,
            "fallback_model": "openai:spare",
        }
    ],
}


def test_a_fallback_model_answers_for_a_retired_one(cli):
    folder = cli.folder / "own"
    for name in ("workflows", "prompts/tasks"):
        (folder / name).mkdir(parents=True)
    (folder / "workflows" / "spare.json").write_text(json.dumps(FALLBACK), encoding="utf-8")
    (folder / "prompts" / "tasks" / "spare-draft.txt").write_text("Write the discovery.", encoding="utf-8")
    cli.environment["COMBINE_WORKFLOWS_DIR"] = str(folder)
    text = json.dumps({"document": document("project-discovery")})
    with FakeLLM([Reply(text=text)], models=["spare"]) as fake:
        talk_to(cli, fake)
        refused = run(cli, "--workflow", "spare")
        assert (refused.code, len(fake.requests)) == (6, 0)
        assert "OPENAI_API_KEY" in refused.err
        cli.environment |= {"OPENAI_BASE_URL": fake.openai_url, "OPENAI_API_KEY": "x"}
        done = run(cli, "--workflow", "spare")
    assert done.code == 0, done.err
    assert "openai:spare" in done.err
    (found,) = cli.here("list", "--json").json
    page = cli.here("show", found["id"]).out
    assert "failed" in page
    assert "openai:spare" in page


def test_each_attempt_that_may_be_billed_has_room_under_the_cap_before_it_leaves(cli):
    """Streams that are cut just before their end are billed like whole replies."""
    long = Reply(text=" ".join(["word"] * 700), pieces=50)
    with FakeLLM(lambda _: Broken("cut", after=50, reply=long)) as fake:
        talk_to(cli, fake, COMBINE_LLM_MAX_RETRIES="3", COMBINE_LLM_MAX_OUTPUT_TOKENS="1000")
        stopped = run(cli, "--budget", "0.000001")
        assert (stopped.code, fake.requests) == (4, []), stopped.err
        needed = Decimal(re.search(r"can cost up to (0\.\d+)", stopped.out)[1])
        budget = round(needed * Decimal("1.3"), 6)
        stopped = run(cli, "--budget", str(budget), project="capped")
        assert stopped.code == 4, stopped.out + stopped.err
        assert 1 <= len(fake.requests) < 4
    with psycopg.connect(libpq_url(cli.url)) as connection:
        states = connection.execute("SELECT state, cost_usd FROM llm_calls").fetchall()
    assert {state for state, _ in states} == {"failed"}
    assert len(states) == len(fake.requests)
    assert needed / 4 < sum(cost for _, cost in states) <= budget

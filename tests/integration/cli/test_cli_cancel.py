"""Cancelling closes the provider's stream and books the call, from the same process and from another one.

The real Anthropic SDK over HTTP, real PostgreSQL, the real engine.
"""

import asyncio
import json
import re
import time

import bakery
import psycopg
import pytest
from fake_llm import FakeLLM, Reply

from combine.bootstrap import open_working
from combine.brief.reading import split_brief
from combine.services.commands import StartExecution
from combine.settings import read_settings
from combine.storage.core.urls import libpq_url

MODEL = "claude-sonnet-5-5"


def slow(received):
    if received.document_type == "requirements-doc":
        return Reply(bakery.reply(bakery.document("requirements-doc")), pieces=40, piece_delay_s=1)
    return Reply(bakery.reply(bakery.document(received.document_type)))


@pytest.fixture
def fake():
    with FakeLLM(slow) as served:
        yield served


def rows(url, query):
    with psycopg.connect(libpq_url(url)) as connection:
        return connection.execute(query).fetchall()


def until_streaming(fake, url):
    """The request whose reply is streaming in, once some of it has come."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if rows(url, "SELECT 1 FROM events WHERE kind = 'call_progress' AND step_id = 'requirements'"):
            return fake.requests[1]
        time.sleep(0.02)
    raise AssertionError("the second call has not come")


def is_booked(url):
    """The call that was cut stands in the ledger with what it used until then; nothing stays reserved."""
    calls = rows(
        url,
        "SELECT step_id, state, error_code, cost_usd, reserved_usd, input_tokens + cache_write_tokens, output_tokens "
        "FROM llm_calls ORDER BY started_at",
    )
    (_, first, _, paid, *_), (step, state, error, cost, reserved, read, written) = calls
    assert (first, step, state, error) == ("replied", "requirements", "failed", "cancelled")
    assert 0 < cost < reserved
    assert read > 1000
    assert 0 < written < 4000
    assert rows(url, "SELECT status, spent_usd, reserved_usd FROM executions") == [("cancelled", paid + cost, 0)]


def test_another_process_cancels(cli, fake):
    cli.environment |= fake.env()
    running = cli.begin("run", cli.brief, "--model", MODEL, "--no-questions", "--json")
    call = until_streaming(fake, cli.url)
    ((execution,),) = rows(cli.url, "SELECT id::text FROM executions")
    cancelled = cli("cancel", execution, "--json")
    assert call.gone.wait(20), "the stream was not closed"  # it would go on for twice as long
    assert (cancelled.code, cancelled.json["status"]) == (0, "cancelled"), cancelled.err
    out, err = running.communicate(timeout=30)
    assert running.returncode == 1, err
    assert json.loads(out)["status"] == "cancelled"
    is_booked(cli.url)
    shown = cli.here("show", execution).out
    assert "Cancelled while receiving the reply" in shown
    assert f"combine resume {execution[:8]} --from" in shown
    assert re.search(r"^ +requirements .*\bcancelled\b", shown, re.MULTILINE), shown
    assert "running" not in shown
    assert len(fake.requests) == 2


async def test_the_same_process_cancels(cli, fake, monkeypatch):
    for name, value in (cli.env() | fake.env()).items():
        monkeypatch.setenv(name, value)
    start = StartExecution(split_brief(bakery.BRIEF), "strategy-document", "cakes", MODEL, ask=False)
    async with open_working(read_settings(), lambda _: None) as working:
        execution = await working.executions.start(start)
        call = await asyncio.to_thread(until_streaming, fake, cli.url)
        await working.executions.cancel(str(execution))
        assert await asyncio.to_thread(call.gone.wait, 20), "the stream was not closed"
    is_booked(cli.url)
    assert len(fake.requests) == 2


def test_after_a_cancel_a_fork_goes_on_from_there(cli, fake):
    cli.environment |= fake.env()
    running = cli.begin("run", cli.brief, "--model", MODEL, "--no-questions")
    until_streaming(fake, cli.url)
    ((execution,),) = rows(cli.url, "SELECT id::text FROM executions")
    assert cli("cancel", execution).code == 0
    running.communicate(timeout=30)
    fake.script = lambda received: bakery.reply(bakery.document(received.document_type))
    forked = cli("resume", execution, "--from", "requirements", "--json")
    assert fake.requests[2].document_type == "requirements-doc"
    assert forked.json["calls"] >= 1
    assert ("project-discovery", 1) in [(one["type"], one["version"]) for one in forked.json["documents"]]

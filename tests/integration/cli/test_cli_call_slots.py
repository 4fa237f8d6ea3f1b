"""COMBINE_LLM_CONCURRENCY: the provider never has more calls at once, and a process that stops begins none."""

import json
import signal
import threading
import time

import bakery
import psycopg
from fake_llm import FakeLLM, Reply

from combine.bootstrap import open_working
from combine.brief.reading import split_brief
from combine.services.commands import StartExecution
from combine.settings import read_settings
from combine.storage.core.urls import libpq_url

MODEL = "claude-sonnet-5-5"
CALLS = 4
"""Documents that a calm execution needs."""


class Provider:
    """Answers slowly, and knows how many requests it had at once."""

    def __init__(self) -> None:
        self.most = 0
        self.held, self.release = threading.Event(), threading.Event()
        self.hold = False
        self.fake = FakeLLM(self._answer)

    def _answer(self, received):
        self.most = max(self.most, sum(not one.done.is_set() for one in self.fake.requests))
        if self.hold:
            self.held.set()
            self.release.wait(30)
        type_ = received.document_type
        document = bakery.unasked_requirements() if type_ == "requirements-doc" else None
        return Reply(bakery.reply(document or bakery.document(type_)), pieces=3, piece_delay_s=0.05)


def rows(url, query):
    with psycopg.connect(libpq_url(url)) as connection:
        return connection.execute(query).fetchall()


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


async def start(cli, monkeypatch, provider, count):
    for name, value in (cli.env() | provider.fake.env()).items():
        monkeypatch.setenv(name, value)
    async with open_working(read_settings(), lambda _: None, shared=True, start=False) as working:
        for number in range(count):
            await working.executions.start(
                StartExecution(split_brief(bakery.BRIEF), "strategy-document", f"cakes {number}", MODEL, ask=False)
            )


async def test_the_provider_never_sees_more_at_once(cli, monkeypatch):
    provider = Provider()
    with provider.fake:
        worker = cli.begin("worker", **provider.fake.env(), COMBINE_LLM_CONCURRENCY=json.dumps({"anthropic": 2}))
        try:
            assert "Worker ready" in worker.stderr.readline()
            await start(cli, monkeypatch, provider, 5)
            until(lambda: rows(cli.url, "SELECT count(*) FROM executions WHERE status = 'completed'") == [(5,)])
        finally:
            worker.send_signal(signal.SIGTERM)
            _, err = worker.communicate()
        assert worker.returncode == 0, err
        assert len(provider.fake.requests) == 5 * CALLS
        assert provider.most == 2


async def test_what_waits_for_its_turn_is_handed_back_at_once(cli, monkeypatch):
    provider = Provider()
    provider.hold = True
    with provider.fake:
        worker = cli.begin("worker", **provider.fake.env(), COMBINE_LLM_CONCURRENCY=json.dumps({"anthropic": 1}))
        try:
            assert "Worker ready" in worker.stderr.readline()
            await start(cli, monkeypatch, provider, 3)
            until(provider.held.is_set)
            until(lambda: rows(cli.url, "SELECT count(*) FROM executions WHERE status = 'running'") == [(3,)])
            worker.send_signal(signal.SIGTERM)
            until(lambda: rows(cli.url, "SELECT count(*) FROM executions WHERE status = 'queued'") == [(2,)])
        finally:
            provider.release.set()
            _, err = worker.communicate()
        assert worker.returncode == 0, err
        assert rows(cli.url, "SELECT status, count(*) FROM executions GROUP BY 1") == [("queued", 3)]
        assert rows(cli.url, "SELECT state, count(*) FROM llm_calls GROUP BY 1") == [("replied", 1)]


def test_a_limit_must_be_a_number_for_a_provider_we_know(cli):
    for wrong, place in {'{"anthropic": 0}': ".anthropic: ", '{"nobody": 1}': ".nobody", "8": ": "}.items():
        refused = cli.here("list", COMBINE_LLM_CONCURRENCY=wrong)
        assert refused.code == 2
        assert f"COMBINE_LLM_CONCURRENCY{place}" in refused.err

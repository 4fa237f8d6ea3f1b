"""A reply that has arrived is paid for: it is stored and used whatever the database does meanwhile."""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager

import psycopg
import pytest
from command_line import Cli
from fake_llm import FakeLLM
from scripted_bakery import QUESTIONS, TYPES, asking, document

from combine.storage.core.urls import libpq_url

MODEL = "anthropic:claude-sonnet-5-5"
HELD = TYPES[1]
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE UPDATE ON llm_calls FOR EACH STATEMENT EXECUTE FUNCTION full_disk();
"""
ALL_ONCE = [TYPES[0], *TYPES], ("completed", ["replied"] * 5)
NOT_FULL = "DROP TRIGGER full_disk ON llm_calls; DROP FUNCTION full_disk()"


class Trouble:
    """A database in trouble from the moment at which the provider answers for one document."""

    def __init__(self, server, kind):
        self.server, self.kind = server, kind
        self.begun = False

    def __call__(self, received):
        if received.document_type == HELD and not self.begun:
            self.begun = True
            self.begin()
        if received.document_type == TYPES[0] and '"Q-1"' not in received.prompt:
            return asking(*QUESTIONS)["json"]
        asks = {} if received.document_type == TYPES[-1] else {"questions": []}
        return {**asks, "document": document(received.document_type)}

    def begin(self):
        if self.kind == "gone":
            self.server.crash()
        else:
            self.run(FULL if self.kind == "full" else "ALTER SYSTEM SET default_transaction_read_only = on")

    def end(self):
        if self.kind == "gone":
            self.server.start()
        elif self.kind == "full":
            self.run(NOT_FULL)
        else:
            self.run("SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only")

    def run(self, *statements):
        with psycopg.connect(libpq_url(self.server.url), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.execute("SELECT pg_reload_conf()")


@pytest.fixture
def own_cli(server, tmp_path, bytecode):
    return Cli(tmp_path, server.url, bytecode)


@contextmanager
def begun(cli, trouble):
    """``combine run`` that has got the reply, and a database that does not take it."""
    with FakeLLM(trouble) as fake:
        cli.environment |= {"ANTHROPIC_BASE_URL": fake.anthropic_url, "ANTHROPIC_API_KEY": "sk-ant-key"}
        with cli.begin("run", cli.brief, "--no-questions", "--model", MODEL) as process:
            try:
                wait_until(lambda: process.poll() is not None or (trouble.begun and kept(cli)))
                assert process.poll() is None, process.communicate()
                yield process, fake
            finally:
                process.kill()


def kept(cli):
    return list((cli.folder / "data" / "replies").glob("*.json"))


def wait_until(holds, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def types_of(fake):
    return [one.document_type for one in fake.requests]


def states(cli):
    execution = cli.here("list", "--json").json[0]
    with psycopg.connect(libpq_url(cli.url)) as connection:
        rows = connection.execute("SELECT step_id, state FROM llm_calls ORDER BY started_at").fetchall()
    return execution["status"], [state for _, state in rows]


@pytest.mark.parametrize("kind", ["full", "read-only", "gone"])
def test_the_reply_waits_for_the_database_and_the_execution_completes(own_cli, server, kind):
    trouble = Trouble(server, kind)
    with begun(own_cli, trouble) as (process, fake):
        (file,) = kept(own_cli)
        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        trouble.end()
        wait_until(lambda: not kept(own_cli))
        wait_until(lambda: states(own_cli)[0] == "completed")
        assert (types_of(fake), states(own_cli)) == ALL_ONCE
        assert process.wait(30) == 0 or kind == "gone"  # after an outage, following it may have ended


@pytest.mark.parametrize(("how", "then"), [("killed", "resume"), ("killed", "worker"), ("stopped", "resume")])
def test_the_next_process_uses_the_reply_that_an_ended_one_has_kept(own_cli, server, how, then):
    trouble = Trouble(server, "gone")
    with begun(own_cli, trouble) as (process, fake):
        process.send_signal(signal.SIGKILL if how == "killed" else signal.SIGINT)
        process.wait(40)
        assert kept(own_cli)
        trouble.end()
        execution = own_cli.here("list", "--json").json[0]["id"]
        if then == "resume":
            assert own_cli("resume", execution).code == 0
        else:
            with own_cli.begin("worker") as worker:
                wait_until(lambda: states(own_cli)[0] == "completed")
                worker.terminate()
        assert (types_of(fake), states(own_cli)) == ALL_ONCE
        assert not kept(own_cli)


def test_a_file_that_cannot_be_read_stops_nothing(own_cli, server):
    folder = own_cli.folder / "data" / "replies"
    folder.mkdir(parents=True)
    (folder / "damaged.json").write_text("{", encoding="utf-8")
    with FakeLLM(Trouble(server, "none")) as fake:
        own_cli.environment |= {"ANTHROPIC_BASE_URL": fake.anthropic_url, "ANTHROPIC_API_KEY": "sk-ant-key"}
        fake.script.begun = True
        done = own_cli("run", own_cli.brief, "--no-questions", "--model", MODEL)
    assert done.code == 0
    assert "damaged.json" in done.err
    assert [file.name for file in folder.iterdir()] == ["damaged.json"]

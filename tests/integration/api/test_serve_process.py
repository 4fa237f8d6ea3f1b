"""`combine serve` as a separate process, with its worker."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import httpx2
import psycopg
import pytest

from combine.engine.queue_tables import make_queue_tables
from combine.storage.core.database import Database

COMBINE = Path(sys.executable).parent / "combine"
READY = re.compile(r"Ready at (http://\S+) ")


@dataclass
class Serve:
    """A running `combine serve`, and its output so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        return "".join(self.lines)

    def listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def url(self) -> str:
        found = wait_for(lambda: READY.search(self.said) or self.process.poll() is not None, self)
        assert found is not True, self.said
        return found[1]

    def workers(self) -> list[int]:
        """Pids of its children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="utf-8")
        return [int(pid) for pid in children.split()]


def wait_for(holds, serve: Serve | None = None, seconds: float = 40):
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > deadline:
            pytest.fail(f"it did not happen; the server said:\n{serve.said if serve else ''}")
        time.sleep(0.02)
    return found


@pytest.fixture(autouse=True)
def compiled(pytestconfig, monkeypatch):
    """Modules are compiled once, and not by each process."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(pytestconfig.cache.mkdir("bytecode")))


@contextmanager
def serving(database_url, tmp_path, *arguments, **environment):
    env = {**os.environ, "COMBINE_DATABASE_URL": database_url, "COMBINE_DATA_DIR": str(tmp_path), "NO_COLOR": "1"}
    process = subprocess.Popen(
        [COMBINE, "serve", "--port", "0", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**env, **environment},
        text=True,
    )
    serve = Serve(process)
    listening = Thread(target=serve.listen)
    listening.start()
    try:
        yield serve
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        listening.join(30)  # its worker has the same pipe, and drains
        process.stderr.close()


def refused(database_url, tmp_path, *arguments, **environment):
    with serving(database_url, tmp_path, *arguments, **environment) as serve:
        code = serve.process.wait(30)
        wait_for(lambda: "Error:" in serve.said, serve)
        return code, serve.said


def live_workers(database_url) -> int:
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT count(*) FROM executors WHERE kind = 'worker'").fetchone()[0]


def test_it_serves_works_and_stops_at_a_signal(database_url, tmp_path):
    with serving(database_url, tmp_path) as serve:
        url = serve.url()
        assert httpx2.get(f"{url}/health", trust_env=False).json() == {"status": "alive"}
        [link] = wait_for(lambda: re.findall(r"/login/local\?key=(\S+)", serve.said), serve)
        wait_for(lambda: "Worker ready" in serve.said, serve)
        assert live_workers(database_url) == 1
        [worker] = serve.workers()
        serve.process.send_signal(signal.SIGTERM)
        assert serve.process.wait(30) == 0
        assert not Path(f"/proc/{worker}").exists()
    assert live_workers(database_url) == 0
    assert "Stopped." in serve.said
    assert "Traceback" not in serve.said
    assert serve.said.count(link) == 1


def test_without_a_worker(database_url, tmp_path):
    with serving(database_url, tmp_path, "--no-worker") as serve:
        url = serve.url()
        assert httpx2.get(f"{url}/health/ready", trust_env=False).status_code in {200, 503}
        assert "(no worker)" in serve.said
        assert serve.workers() == []


def test_a_worker_that_ends_is_started_again(database_url, tmp_path):
    with serving(database_url, tmp_path, COMBINE_OIDC_PROVIDER="x") as serve:
        serve.url()
        wait_for(lambda: "Worker ready" in serve.said, serve)
        [worker] = serve.workers()
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: serve.said.count("Worker ready") == 2, serve)
        assert "code -9" in serve.said
        assert (
            serve.said.count("COMBINE_OIDC_PROVIDER: ") == 1
        )  # the worker has the same environment, and does not repeat it
        assert serve.workers() != [worker]


def test_the_worker_drains_when_the_server_is_killed(database_url, tmp_path):
    with serving(database_url, tmp_path) as serve:
        serve.url()
        wait_for(lambda: "Worker ready" in serve.said, serve)
        [worker] = serve.workers()
        serve.process.kill()
        wait_for(lambda: not Path(f"/proc/{worker}").exists() or live_workers(database_url) == 0, serve)
    assert live_workers(database_url) == 0  # it unregistered, instead of just disappearing


def test_a_second_signal_ends_it_at_once(database_url, tmp_path):
    with serving(database_url, tmp_path, "--no-worker") as serve:
        url = serve.url()
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
            client.sendall(b"POST /logout HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf")
            wait_for(lambda: "http" in serve.said, serve)
            serve.process.send_signal(signal.SIGINT)
            wait_for(lambda: "Stopping" in serve.said, serve)
            serve.process.send_signal(signal.SIGINT)
            assert serve.process.wait(10) in {0, 1}


def test_a_port_in_use_is_reported(database_url, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = refused(database_url, tmp_path, "--port", str(port))
    assert code == 2
    assert str(port) in said.splitlines()[0]
    assert "--port" in said


@pytest.mark.parametrize(
    ("host", "environment", "words"),
    [
        ("0.0.0.0", {}, "COMBINE_OIDC_PROVIDERS"),
        (
            "0.0.0.0",
            {"COMBINE_OIDC_PROVIDERS": '{"google": {"client_id": "x"}}', "COMBINE_OIDC_ALLOWED_DOMAINS": "example.org"},
            "COMBINE_PUBLIC_URL",
        ),
    ],
)
def test_where_it_does_not_listen(database_url, tmp_path, host, environment, words):
    code, said = refused(database_url, tmp_path, "--host", host, **environment)
    assert code == 2
    assert words in said


def test_a_new_database_is_created(data_dir):
    with serving("", data_dir, "--no-worker") as serve:
        url = serve.url()
        wait_for(lambda: httpx2.get(f"{url}/health/ready", trust_env=False).status_code == 200, serve)
    assert serve.said.count("creating the database") == 1


def test_invalid_workflows_are_reported_before_a_database_is_created(data_dir, tmp_path):
    code, said = refused("", data_dir, COMBINE_WORKFLOWS_DIR=str(tmp_path / "none"))
    assert (code, "Traceback" in said) == (2, False), said
    assert not data_dir.exists()


def test_a_database_that_cannot_be_created_is_reported(tmp_path):
    (tmp_path / "file").touch()
    code, said = refused("", tmp_path / "file")
    assert (code, "Traceback" in said) == (1, False), said
    assert "cannot be used" in said


def test_without_a_database_it_exits_with_an_error(tmp_path):
    code, said = refused("postgresql://nobody@127.0.0.1:1/none", tmp_path)
    assert code == 1
    assert "cannot be reached" in said
    assert "Traceback" not in said


async def with_tables_of_the_queue(database_url):
    database = Database(database_url)
    await make_queue_tables(database)
    await database.close()


SIGN_IN = {
    "COMBINE_OIDC_PROVIDERS": '{"google": {"client_id": "x"}}',
    "COMBINE_OIDC_ALLOWED_DOMAINS": "example.org",
}


@pytest.mark.parametrize(("environment", "loaded"), [({}, set()), (SIGN_IN, {"authlib", "joserfc", "httpx2"})])
def test_the_server_loads_what_it_needs(database_url, tmp_path, environment, loaded):
    heavy = {"alembic", "anthropic", "authlib", "dbos", "genai_prices", "httpx2", "joserfc", "nh3", "openai", "yaml"}
    asyncio.run(with_tables_of_the_queue(database_url))
    with serving(database_url, tmp_path, "--no-worker", PYTHONPROFILEIMPORTTIME="1", **environment) as serve:
        httpx2.get(f"{serve.url()}/login", trust_env=False).raise_for_status()
        modules = set(re.findall(r"^import time:.*\| +(\w+)$", serve.said, re.MULTILINE))
    assert "fastapi" in modules
    assert modules & heavy == loaded

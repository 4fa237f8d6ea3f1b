"""What the tests of this folder share: the process that forks workers, and waiting for what they do."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from counting_llm import CountingProvider
from harness import Wish

from combine.storage.core.urls import libpq_url

KILLED, ENDED, FENCED = -9, 0, 70


class Workers:
    """Forks a worker for each wish."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("harness.py"))],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "fakes")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def fork(self, wish: Wish) -> int:
        """Its pid."""
        return self._ask(wish.line())

    def code(self, pid: int) -> int:
        """The exit code, once it has ended."""
        return self._ask(f"{pid}\n")

    def run(self, wish: Wish) -> int:
        """Until it has ended; its exit code."""
        return self.code(self.fork(wish))

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        assert self.code(pid) == KILLED

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, line: str) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line)
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def environment_of(provider: CountingProvider) -> dict[str, str]:
    """What leads a worker to that provider."""
    return {name: value for name, value in provider.fake.env().items() if name.startswith("ANTHROPIC_")}


def fetch(database_url: str, query: str) -> list[tuple]:
    with psycopg.connect(libpq_url(database_url)) as connection:
        return connection.execute(query).fetchall()


def under_way(database_url: str) -> int:
    ((number,),) = fetch(database_url, "SELECT count(*) FROM executions WHERE status IN ('queued', 'running')")
    return number


def replies(database_url: str) -> int:
    ((number,),) = fetch(database_url, "SELECT count(*) FROM llm_calls WHERE state = 'replied'")
    return number


def wait_until(condition: Callable[[], object], within_s: float) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)

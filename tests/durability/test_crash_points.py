"""Killed at every commit, just before and just after it, and around the call; the next process goes on.

What must hold afterwards is in ``counting_llm.audit``: every execution completed, each finished call received once, a
call in flight at most once more and shown, no document version twice or missing, the books equal the provider's.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from counting_llm import CountingProvider, audit
from harness import COMMITS, Wish

KILLED, ENDED = -9, 0
CHAINS = {
    **{name: [(name, "before", 2), (name, "after", 2)] for name in COMMITS},
    "start": [("start", "before", 1), ("start", "after", 1)],
    "call": [("call", "before", 2), ("call", "during", 3), ("call", "after", 2)],
    "recover": [("call", "during", 3), ("recover", "before", 1), ("recover", "after", 1)],
    "hand_over": [("hand_over", "before", 1), ("hand_over", "after", 1)],
    "end": [("end", "before", 1), ("end", "after", 1)],
    "save_review": [("save_review", "before", 1), ("save_review", "after", 1)],
}
"""Each chain is worked through by one process after the other, on the same executions."""


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

    def run(self, wish: Wish) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(wish.line())
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    started = Workers()
    yield started
    started.close()


@pytest.fixture
def provider() -> Iterator[CountingProvider]:
    counting = CountingProvider()
    with counting.fake:
        yield counting


def work_through(workers, provider, database_url, chain, executions):
    markers = [f"a{number}" for number in range(executions)]
    environment = {name: value for name, value in provider.fake.env().items() if name.startswith("ANTHROPIC_")}
    for point, when, nth in chain:
        wish = Wish(database_url, markers, environment, point, when, nth)
        assert workers.run(wish) == KILLED, f"{point}, {when} the commit no. {nth}, was never reached"
    assert workers.run(Wish(database_url, markers, environment)) == ENDED
    verdict = audit(database_url, provider, markers)
    assert not verdict.faults, "\n".join(verdict.faults)
    return verdict


@pytest.mark.parametrize("name", CHAINS)
def test_killed_there_and_there(workers, provider, database_url, name):
    verdict = work_through(workers, provider, database_url, CHAINS[name], executions=3)
    assert verdict.calls == 3 * 6


@pytest.mark.chaos
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("place", [*product([*COMMITS, "call"], ["before", "after"]), ("call", "during")], ids="-".join)
def test_every_point_at_every_count(workers, provider, database_url, place, nth):
    point, when = place
    chain = [("call", "during", 3), (point, when, 1)] if point == "recover" else [(point, when, nth)]
    work_through(workers, provider, database_url, chain, executions=3)


def test_without_a_kill_nothing_is_repeated_or_unknown(workers, provider, database_url):
    verdict = work_through(workers, provider, database_url, [], executions=2)
    assert (verdict.calls, verdict.repeated, verdict.unknown) == (12, 0, 0)

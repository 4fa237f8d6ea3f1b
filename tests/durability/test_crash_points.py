"""Killed at every commit, just before and just after it, and around the call; the next process goes on.

What must hold afterwards is in ``counting_llm.audit``: every execution completed, each finished call received once, a
call in flight at most once more and shown, no document version twice or missing, the books equal the provider's.
"""

from itertools import product

import pytest
from counting_llm import audit
from crew import ENDED, KILLED, environment_of
from harness import COMMITS, Wish

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


def work_through(workers, provider, database_url, chain, executions):
    markers = [f"a{number}" for number in range(executions)]
    environment = environment_of(provider)
    for point, when, nth in chain:
        wish = Wish(database_url, markers, environment, point, when, nth)
        assert workers.run(wish) == KILLED, f"{point}, {when} the commit no. {nth}, was never reached"
    assert workers.run(Wish(database_url, markers, environment)) == ENDED
    verdict = audit(database_url, provider, markers)
    assert not verdict.faults, "\n".join(verdict.faults)
    return verdict


@pytest.mark.parametrize("name", CHAINS)
def test_killed_there_and_there(workers, counting, database_url, name):
    verdict = work_through(workers, counting, database_url, CHAINS[name], executions=3)
    assert verdict.calls == 3 * 6


@pytest.mark.chaos
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("place", [*product([*COMMITS, "call"], ["before", "after"]), ("call", "during")], ids="-".join)
def test_every_point_at_every_count(workers, counting, database_url, place, nth):
    point, when = place
    chain = [("call", "during", 3), (point, when, 1)] if point == "recover" else [(point, when, nth)]
    work_through(workers, counting, database_url, chain, executions=3)


def test_without_a_kill_nothing_is_repeated_or_unknown(workers, counting, database_url):
    verdict = work_through(workers, counting, database_url, [], executions=2)
    assert (verdict.calls, verdict.repeated, verdict.unknown) == (12, 0, 0)

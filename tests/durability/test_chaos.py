"""Processes killed, frozen and replaced at random, a database that is stopped hard. Run by ``make chaos``.

``CHAOS_SEED`` repeats a run's choices (not its timing), ``CHAOS_KILLS`` sets how many.
"""

import os
import random
import signal
import sys
import time

import pytest
from counting_llm import CountingProvider, Verdict, audit
from crew import ENDED, FENCED, environment_of, replies, under_way, wait_until
from harness import Wish

SEED = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(10**6)))
KILLS = int(os.environ.get("CHAOS_KILLS", "200"))
WORKERS = 3


def say(capsys: pytest.CaptureFixture[str], what: str, began: float, verdict: Verdict, **more: object) -> None:
    """A row of the table."""
    facts = {
        "executions": verdict.executions,
        "calls": verdict.calls,
        "repeated": verdict.repeated,
        "outcome unknown": verdict.unknown,
        "faults": len(verdict.faults),
        "seconds": round(time.monotonic() - began),
        **more,
    }
    with capsys.disabled():
        sys.stdout.write(f"\n| {what} | {' | '.join(f'{name}: {value}' for name, value in facts.items())} |\n")


def prepare(workers, wish: Wish) -> None:
    """Make the engine's tables, and put the executions in the queue."""
    assert workers.run(Wish(wish.url, [])) == ENDED
    assert workers.run(Wish(wish.url, wish.markers, only_start=True)) == ENDED


def stop(workers, pids) -> list[int]:
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    return [workers.code(pid) for pid in pids]


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_workers_killed_at_random(workers, counting, database_url, capsys):
    chance = random.Random(SEED)
    counting.delay_s = 0.2
    began, environment, markers = time.monotonic(), environment_of(counting), []

    def fresh() -> int:
        """A worker that brings work along, unless there is plenty."""
        new = [f"k{len(markers) + number}" for number in range(0 if under_way(database_url) > 40 else 3)]
        markers.extend(new)
        return workers.fork(Wish(database_url, new, environment, stay=True))

    alive = [fresh() for _ in range(WORKERS)]
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.1, 1.5))
        victim = alive.pop(chance.randrange(WORKERS))
        workers.kill(victim)
        alive.append(fresh())
    wait_until(lambda: not under_way(database_url), 120)
    assert stop(workers, alive) == [ENDED] * WORKERS
    assert workers.run(Wish(database_url, markers, environment)) == ENDED
    verdict = audit(database_url, counting, markers)
    say(capsys, f"{KILLS} kills of {WORKERS} workers, seed {SEED}", began, verdict)
    assert not verdict.faults, "\n".join(verdict.faults)


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_a_worker_frozen_beyond_its_lease_and_thawed(workers, counting, database_url, capsys):
    counting.delay_s = 1.0
    began, markers = time.monotonic(), [f"f{number}" for number in range(12)]
    wish = Wish(database_url, markers, environment_of(counting), stay=True)
    prepare(workers, wish)
    first = workers.fork(wish)
    wait_until(lambda: counting.received.total() >= 3 * len(markers), 60)
    os.kill(first, signal.SIGSTOP)
    in_flight = counting.received.total() - replies(database_url)
    assert in_flight
    second = workers.fork(wish)
    wait_until(lambda: not under_way(database_url), 90)
    os.kill(first, signal.SIGCONT)
    assert workers.code(first) == FENCED
    assert stop(workers, [second]) == [ENDED]
    verdict = audit(database_url, counting, markers, zombies=True)
    say(capsys, "frozen beyond the lease, and thawed", began, verdict, in_flight=in_flight)
    assert not verdict.faults, "\n".join(verdict.faults)
    assert verdict.repeated <= in_flight


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_the_database_stopped_hard_three_times(workers, counting, server, capsys):
    counting.delay_s = 3.0
    began, markers = time.monotonic(), [f"d{number}" for number in range(50)]
    wish = Wish(server.url, markers, environment_of(counting), stay=True)
    prepare(workers, wish)
    pids = [workers.fork(wish) for _ in range(2)]
    for outage in range(3):
        wait_until(lambda least=50 * (outage + 1): counting.received.total() >= least, 90)
        server.crash()
        time.sleep(4)  # the calls end meanwhile; their replies wait for the database
        server.start()
    wait_until(lambda: not under_way(server.url), 120)
    assert stop(workers, pids) == [ENDED] * 2
    verdict = audit(server.url, counting, markers)
    say(capsys, "database stopped hard three times", began, verdict)
    assert not verdict.faults, "\n".join(verdict.faults)
    assert (verdict.repeated, verdict.unknown) == (0, 0)


def rolling_restart(workers, counting: CountingProvider, database_url: str, executions: int) -> Verdict:
    """Of three workers one is killed, one is told to stop, one goes on; two new ones come."""
    markers = [f"r{number}" for number in range(executions)]
    wish = Wish(database_url, markers, environment_of(counting), stay=True)
    prepare(workers, wish)
    killed, told, going_on = [workers.fork(wish) for _ in range(3)]
    wait_until(lambda: replies(database_url) >= executions, 60)
    workers.kill(killed)
    new = [workers.fork(wish)]
    assert stop(workers, [told]) == [ENDED]
    new.append(workers.fork(wish))
    wait_until(lambda: not under_way(database_url), 90)
    assert stop(workers, [going_on, *new]) == [ENDED] * 3
    verdict = audit(database_url, counting, markers)
    assert not verdict.faults, "\n".join(verdict.faults)
    return verdict


def test_workers_started_together_on_an_empty_database(workers, counting, database_url):
    markers = ["e0", "e1", "e2"]
    pids = [workers.fork(Wish(database_url, [one], environment_of(counting), stay=True)) for one in markers]
    wait_until(lambda: replies(database_url) == len(markers) * 6 and not under_way(database_url), 60)
    assert stop(workers, pids) == [ENDED] * 3
    verdict = audit(database_url, counting, markers)
    assert not verdict.faults, "\n".join(verdict.faults)


def test_a_rolling_restart(workers, counting, database_url):
    assert rolling_restart(workers, counting, database_url, 30).executions == 30


@pytest.mark.chaos
def test_a_rolling_restart_of_many(workers, counting, database_url, capsys):
    began = time.monotonic()
    say(capsys, "rolling restart", began, rolling_restart(workers, counting, database_url, 100))

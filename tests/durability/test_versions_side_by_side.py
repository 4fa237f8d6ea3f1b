"""A deploy: the next version migrates the database and works beside this one, which then is replaced."""

import os
import signal

import psycopg
from counting_llm import audit
from crew import ENDED, environment_of, under_way, wait_until
from harness import Wish

from combine.storage.core.urls import libpq_url

NEXT = """
ALTER TABLE executions ADD COLUMN colour text NOT NULL DEFAULT 'blue';
ALTER TABLE llm_calls ADD COLUMN mood text;
CREATE TABLE things_to_come (id bigint PRIMARY KEY);
UPDATE alembic_version SET version_num = '9999';
"""
"""What a migration may do: add. It leaves ``compatibility`` alone, so older versions may go on."""


def test_an_older_worker_goes_on_beside_a_newer_one_and_hands_its_work_over(workers, counting, database_url):
    counting.delay_s = 0.7
    environment, markers = environment_of(counting), [f"v{number}" for number in range(12)]
    assert workers.run(Wish(database_url, [], environment)) == ENDED
    older = workers.fork(Wish(database_url, markers, environment, stay=True))
    wait_until(lambda: calls(database_url) >= 5, 60)
    with psycopg.connect(libpq_url(database_url), autocommit=True) as connection:
        connection.execute(NEXT)
    # Started after the migration, as a replica is that a deploy has not come to yet.
    restarted = workers.fork(Wish(database_url, [], environment, stay=True))
    newer = workers.fork(Wish(database_url, [], environment, stay=True, version="9.9.9"))
    wait_until(lambda: len(executors(database_url)) == 3, 60)
    assert "9.9.9" in executors(database_url)
    assert under_way(database_url)
    for pid in (older, restarted):
        os.kill(pid, signal.SIGTERM)
    assert [workers.code(older), workers.code(restarted)] == [ENDED, ENDED]
    wait_until(lambda: not under_way(database_url), 60)
    os.kill(newer, signal.SIGTERM)
    assert workers.code(newer) == ENDED
    verdict = audit(database_url, counting, markers)
    assert not verdict.faults, "\n".join(verdict.faults)
    assert verdict.repeated == 0


def calls(url: str) -> int:
    return rows(url, "SELECT count(*) FROM llm_calls WHERE state = 'replied'")[0][0]


def executors(url: str) -> list[str]:
    return [version for (version,) in rows(url, "SELECT version FROM executors")]


def rows(url: str, query: str) -> list[tuple]:
    with psycopg.connect(libpq_url(url)) as connection:
        return connection.execute(query).fetchall()

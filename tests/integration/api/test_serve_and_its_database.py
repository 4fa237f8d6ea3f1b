"""The embedded database dies under `combine serve`, and is restarted."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psycopg
from serve_process import ServeProcess

from combine.storage.server.embedded import embedded_status, start_embedded, stop_embedded


def wait_for(holds, serve, seconds=40.0):
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "".join(serve.output)
        time.sleep(0.05)
    return found


@contextmanager
def serving(data_dir, tmp_path, *options):
    environment = {**os.environ, "COMBINE_DATA_DIR": str(data_dir), "NO_COLOR": "1"}
    serve = ServeProcess(environment, tmp_path).start(*options)
    try:
        wait_for(lambda: ready(serve) == 200, serve)
        yield serve
    finally:
        serve.stop()


def ready(serve) -> int:
    return httpx2.get(f"{serve.url}/health/ready", trust_env=False, timeout=20).status_code


def kill_database(data_dir) -> int:
    found = embedded_status(data_dir)
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)
    return found.pid


def last_beat(data_dir):
    with psycopg.connect(start_embedded(data_dir).url) as connection:
        return connection.execute("SELECT max(beat_at) FROM executors WHERE kind = 'worker'").fetchone()[0]


def children(serve):
    return Path(f"/proc/{serve.process.pid}/task/{serve.process.pid}/children").read_text(encoding="utf-8").split()


def test_a_killed_database_is_restarted_without_a_worker(data_dir, tmp_path):
    with serving(data_dir, tmp_path, "--no-worker") as serve:
        for times in (1, 2):
            killed = kill_database(data_dir)
            wait_for(lambda pid=killed: (now := embedded_status(data_dir)) and now.pid != pid, serve)
            wait_for(lambda: ready(serve) == 200, serve)
            said = "".join(serve.output)
            assert said.count("The embedded database died and was restarted") == times
    assert "Traceback" not in "".join(serve.output)


def test_the_database_is_back_before_the_worker_fences_itself(data_dir, tmp_path):
    with serving(data_dir, tmp_path) as serve:
        wait_for(lambda: "Worker ready" in "".join(serve.output), serve)
        worker, before = children(serve), last_beat(data_dir)
        kill_database(data_dir)
        wait_for(lambda: embedded_status(data_dir) is not None, serve)
        wait_for(lambda: ready(serve) == 200, serve)
        wait_for(lambda: last_beat(data_dir) > before, serve)
        assert children(serve) == worker
    assert "exit code" not in "".join(serve.output)


def test_a_database_that_was_stopped_on_purpose_stays_down(data_dir, tmp_path):
    with serving(data_dir, tmp_path, "--no-worker") as serve:
        assert stop_embedded(data_dir)
        wait_for(lambda: ready(serve) == 503, serve)
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            assert embedded_status(data_dir) is None
            time.sleep(0.1)
        start_embedded(data_dir)
        wait_for(lambda: ready(serve) == 200, serve)


def test_the_worker_does_not_start_a_stopped_database(data_dir, tmp_path):
    """It exits after 20 s without the database; a new worker would start the database first."""
    with serving(data_dir, tmp_path) as serve:
        wait_for(lambda: "Worker ready" in "".join(serve.output), serve)
        assert stop_embedded(data_dir)
        wait_for(lambda: "The worker exited" in "".join(serve.output), serve)
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            assert embedded_status(data_dir) is None
            time.sleep(0.1)
        start_embedded(data_dir)
        wait_for(lambda: "".join(serve.output).count("Worker ready") == 2, serve)
        wait_for(lambda: ready(serve) == 200, serve)


def pauses(serve):
    return [float(found) for found in re.findall(r"retrying in ([0-9.]+) s", "".join(serve.output))]


def test_a_failing_restart_is_retried_with_growing_pauses(data_dir, tmp_path):
    with serving(data_dir, tmp_path, "--no-worker") as serve:
        control = data_dir / "postgres" / "postgresql.conf"
        good = control.read_bytes()
        control.write_bytes(good + b"\nno_such_setting = 1\n")
        kill_database(data_dir)
        wait_for(lambda: len(pauses(serve)) >= 4, serve)
        assert pauses(serve)[3] > pauses(serve)[0]
        control.write_bytes(good)
        wait_for(lambda: ready(serve) == 200, serve)


def test_the_server_can_stop_while_its_database_is_down(data_dir, tmp_path):
    with serving(data_dir, tmp_path, "--no-worker") as serve:
        stop_embedded(data_dir)
        wait_for(lambda: ready(serve) == 503, serve)
        began = time.monotonic()
        serve.stop()
        assert time.monotonic() - began < 20
        assert serve.process.returncode == 0

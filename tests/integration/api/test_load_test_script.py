"""The load test against a real server: what it finds, and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from api_server import new_database
from serve_process import COMBINE, ServeProcess

SCRIPT = Path(__file__).parents[3] / "scripts" / "load_test.py"
SHORT = ("--duration", "4", "--rate", "15", "--watchers", "12", "--starts", "20", "--answers", "20", "--hold", "1")
EASY = ("--mark-read", "100000", "--mark-events", "100000", "--mark-growth", "100000", "--mark-memory", "100000")


@pytest.fixture(scope="module")
def server(shared_server_url, tmp_path_factory, pytestconfig):
    folder = tmp_path_factory.mktemp("load")
    with new_database(shared_server_url) as url:
        own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment = own | {
            "COMBINE_DATABASE_URL": url,
            "COMBINE_DATA_DIR": str(folder),
            "COMBINE_RATE_LIMIT_STARTS": "1000/minute",
            "PYTHONPYCACHEPREFIX": str(pytestconfig.cache.mkdir("bytecode")),
        }
        serve = ServeProcess(environment, folder).start()
        try:
            yield serve
        finally:
            serve.stop()


@pytest.fixture(scope="module")
def token(server):
    command = [COMBINE, "tokens", "create", "load", "--scope", "run"]
    made = subprocess.run(command, env=server.environment, capture_output=True, text=True, check=True)
    return made.stdout.strip()


def run(*arguments, python=("-W", "error"), **environment):
    command = [sys.executable, *python, str(SCRIPT), *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_it_passes_if_its_thresholds_are_met_and_reports_what_it_has_seen(server, token):
    done = run("--url", server.url, *SHORT, *EASY, "--json", COMBINE_TOKEN=token)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["passed"]
    assert found["errors"] == {}
    assert {row["route"] for row in found["rows"]} >= {
        "GET /api/v1/costs",
        "GET /api/v1/documents/{id}",
        "GET /api/v1/documents/{id}, If-None-Match",
        "GET /api/v1/executions",
        "GET /api/v1/executions/{id}",
        "GET /api/v1/executions/{id}/events, opened",
        "POST /api/v1/executions",
        "POST /api/v1/executions/{id}/answers",
        "event, commit to client",
    }
    assert 6 <= found["streams"]["open at once"] <= 12
    assert found["streams"]["resumed by Last-Event-ID"] > 0
    assert found["streams"]["followed to the end"] > 0
    assert [one["name"] for one in found["memory"]] == ["serve", "worker"]


def test_it_fails_if_a_threshold_is_missed(server, token):
    done = run("--url", server.url, *SHORT, *EASY, "--mark-read", "0.001", COMBINE_TOKEN=token)
    assert (done.returncode, done.stderr) == (1, "")
    assert "MISSED  p99 of GET /api/v1/executions/{id}, ms" in done.stdout
    assert done.stdout.endswith("Not passed.\n")


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        ((), {"COMBINE_TOKEN": ""}, "COMBINE_TOKEN"),
        (("--url", "http://127.0.0.1:1"), {"COMBINE_TOKEN": "cmb_x"}, "GET http://127.0.0.1:1/version: "),
        (("--duration", "0"), {"COMBINE_TOKEN": "cmb_x"}, "--duration"),
    ],
)
def test_wrong_usage_is_reported_at_once(arguments, environment, said):
    done = run(*arguments, **environment)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_without_locust_it_says_how_to_get_it():
    done = run(python=("-S",), COMBINE_TOKEN="cmb_x")
    assert (done.returncode, "make load" in done.stderr) == (2, True), done.stderr


def test_a_server_that_dies_fails_it(server, token):
    heard = len(server.output)
    command = [sys.executable, str(SCRIPT), "--url", server.url, *SHORT, *EASY]
    process = subprocess.Popen(command, env=os.environ | {"COMBINE_TOKEN": token}, stdout=subprocess.PIPE, text=True)
    while not any("/api/v1/costs" in line for line in server.output[heard:]):
        assert process.poll() is None
        time.sleep(0.02)
    server.kill()
    said, _ = process.communicate()
    assert process.returncode == 1
    assert "MISSED  errors" in said
    assert "Connection refused" in said

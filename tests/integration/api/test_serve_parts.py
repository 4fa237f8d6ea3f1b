"""The parts of `combine serve`: sockets, its worker, requests in flight when it stops."""

import asyncio
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from api_house import live_server, until
from fastapi import FastAPI

from combine.cli.sockets import bind, is_loopback
from combine.cli.worker_child import WorkerChild
from combine.errors import Invalid


def python(program, *arguments):
    return (sys.executable, "-c", program, *map(str, arguments))


async def test_a_worker_that_exits_is_restarted_with_growing_pauses(caplog):
    child = WorkerChild(grace_s=1, command=python("import sys; sys.exit(70)"), first_pause_s=0.01)
    running = asyncio.create_task(child.run())
    await until(lambda: child.starts == 4)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    pauses = [record.args[1] for record in caplog.records if "restarting" in record.getMessage()]
    bounds = [(0.005, 0.01), (0.01, 0.02), (0.02, 0.04)]
    assert all(low <= pause <= high for pause, (low, high) in zip(pauses[:3], bounds, strict=True))
    assert all(record.args[0] == 70 for record in caplog.records if "restarting" in record.getMessage())


DRAINS = """
import pathlib, signal, sys
def stop(*_):
    pathlib.Path(sys.argv[1]).write_text("drained")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[1]).write_text("ready")
signal.pause()
"""
STUBBORN = DRAINS.replace("signal.signal(signal.SIGTERM, stop)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")


@pytest.mark.parametrize(("program", "left"), [(DRAINS, "drained"), (STUBBORN, "ready")])
async def test_it_has_time_to_stop_and_no_more(tmp_path, monkeypatch, program, left):
    monkeypatch.setattr("combine.cli.worker_child._BEYOND_GRACE_S", 0.0)
    note = tmp_path / "note"
    child = WorkerChild(grace_s=0.5 if program is STUBBORN else 30, command=python(program, note))
    running = asyncio.create_task(child.run())
    await until(note.exists)
    await until(lambda: note.read_text() == "ready")
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert note.read_text() == left
    assert child.process is not None
    assert child.process.returncode is not None


PARENT = """
import asyncio, sys
from combine.cli.worker_child import WorkerChild
child = WorkerChild(grace_s=1, command=(sys.executable, "-c", sys.argv[1], sys.argv[2]))
asyncio.run(child.run())
"""
READS = """
import os, pathlib, sys
pathlib.Path(sys.argv[1]).write_text(str(os.getsid(0) == os.getpid()))
sys.stdin.read()
pathlib.Path(sys.argv[1]).write_text("ended")
"""


async def test_its_standard_input_ends_when_the_parent_is_killed(tmp_path):
    note = tmp_path / "note"
    parent = subprocess.Popen(python(PARENT, READS, note))
    await until(lambda: note.exists() and note.read_text() == "True")
    parent.kill()
    parent.wait()
    await until(lambda: note.read_text() == "ended")


def test_a_free_port_is_the_same_for_every_address():
    sockets = bind("localhost", 0)
    try:
        assert len({one.getsockname()[1] for one in sockets}) == 1
        assert is_loopback(sockets)
    finally:
        for one in sockets:
            one.close()


def test_all_interfaces_are_not_loopback():
    sockets = bind("0.0.0.0", 0)
    assert not is_loopback(sockets)
    for one in sockets:
        one.close()


def test_a_port_in_use_and_a_foreign_host():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(Invalid) as caught:
            bind("127.0.0.1", taken.getsockname()[1])
        assert caught.value.code == "port_in_use"
    for host in ("192.0.2.1", "x" * 300):
        with pytest.raises(Invalid) as caught:
            bind(host, 0)
        assert caught.value.code == "host_unusable"


async def test_requests_in_flight_end_before_the_server_does():
    app, begun, go_on = FastAPI(), asyncio.Event(), asyncio.Event()

    @app.get("/slow")
    async def slow() -> str:
        begun.set()
        await go_on.wait()
        return "done"

    async with live_server(app) as server, server.client() as client:
        answer = asyncio.create_task(client.get("/slow"))
        await begun.wait()
        server.http.should_exit = True
        await until(lambda: not server.http.servers[0].is_serving())
        go_on.set()
        assert (await answer).json() == "done"


def test_the_worker_stops_when_its_standard_input_ends(database_url, tmp_path):
    environment = {**os.environ, "COMBINE_DATABASE_URL": database_url, "COMBINE_DATA_DIR": str(tmp_path)}
    combine = Path(sys.executable).parent / "combine"
    worker = subprocess.Popen(
        [combine, "worker", "--stop-with-stdin"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert worker.stderr is not None
    said = worker.stderr.readline()
    while "Worker ready" not in said:
        assert worker.poll() is None, said
        said = worker.stderr.readline()
    assert worker.stdin is not None
    worker.stdin.close()
    assert "Stopped." in worker.stderr.read()
    worker.stderr.close()
    assert worker.wait(30) == 0

"""The heartbeat ends the process when it cannot say "alive", however the database fails it."""

import threading

import psycopg
import pytest

from combine.engine import heartbeat
from combine.engine.heartbeat import Heartbeat, machine_name


class Connection:
    """Does at each beat what it is told."""

    def __init__(self, beat):
        self.beat = beat
        self.removed = False

    def register(self, **_): ...

    def remove(self):
        self.removed = True

    def close(self): ...


@pytest.fixture
def fenced():
    return threading.Event()


def started(beat, fenced, fence_s=0.1):
    beating = Heartbeat(Connection(beat), beat_every_s=0.01, fence_s=fence_s, on_fenced=fenced.set)
    beating.start(kind="cli", queue="q", version="test")
    return beating


def test_a_beat_that_hangs_is_noticed(fenced):
    release = threading.Event()
    beating = started(lambda: release.wait(20), fenced)
    assert fenced.wait(10)
    release.set()
    beating.stop()


def fails():
    raise psycopg.OperationalError


@pytest.mark.parametrize("beat", [fails, lambda: False], ids=["fails", "declared dead"])
def test_a_process_that_cannot_beat_ends(fenced, beat):
    beating = started(beat, fenced)
    assert fenced.wait(10)
    beating.stop()


def test_what_was_never_started_can_be_stopped(fenced):
    connection = Connection(lambda: True)
    Heartbeat(connection, on_fenced=fenced.set).stop()
    assert not connection.removed
    assert not fenced.is_set()


def test_a_healthy_process_goes_on_and_signs_off(fenced):
    beats = []
    enough = threading.Event()

    def beat():
        beats.append(1)
        if len(beats) == 5:
            enough.set()
        return True

    beating = started(beat, fenced, fence_s=20)
    assert enough.wait(10)
    beating.stop()
    assert beating._connection.removed
    assert not fenced.is_set()


def test_machines_and_containers_of_one_name_are_told_apart(monkeypatch, tmp_path):
    here = machine_name()
    assert here == machine_name()
    other_boot = tmp_path / "boot_id"
    other_boot.write_text("another machine\n")
    other_pids = tmp_path / "pid"
    other_pids.symlink_to("pid:[1]")
    with monkeypatch.context() as patched:
        patched.setattr(heartbeat, "_BOOT", other_boot)
        elsewhere = machine_name()
    with monkeypatch.context() as patched:
        patched.setattr(heartbeat, "_PIDS", other_pids)
        in_container = machine_name()
    with monkeypatch.context() as patched:
        patched.setattr(heartbeat, "_BOOT", tmp_path / "no such file")
        not_linux = machine_name()
    assert len({here, elsewhere, in_container, not_linux}) == 4

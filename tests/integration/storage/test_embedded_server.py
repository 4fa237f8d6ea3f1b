import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from combine.errors import Unavailable
from combine.storage.server.embedded import embedded_status, start_embedded, stop_embedded

START = """
import json, sys
from pathlib import Path
from combine.storage.server.embedded import start_embedded
found = start_embedded(Path(sys.argv[1]))
print(json.dumps([found.pid, found.started_now]), flush=True)
"""


def _start_in_another_process(data_dir, then=""):
    command = [sys.executable, "-W", "error", "-c", START + then, str(data_dir)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _query(url, statement):
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None


def _wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_it_is_created_shared_stopped_and_started_again(data_dir):
    said = []
    assert embedded_status(data_dir) is None
    first = start_embedded(data_dir, report=said.append)
    assert first.started_now
    assert said == ["creating the database"]
    _query(first.url, "CREATE TABLE kept (a int)")

    second = start_embedded(data_dir, report=said.append)
    assert (second.pid, second.url, second.started_now) == (first.pid, first.url, False)
    assert embedded_status(data_dir) == second

    assert stop_embedded(data_dir) is True
    assert stop_embedded(data_dir) is False
    assert embedded_status(data_dir) is None

    third = start_embedded(data_dir)
    assert third.started_now
    assert third.pid != first.pid
    assert _query(third.url, "SELECT count(*) FROM kept") == 0


def test_it_is_safe_and_modest(server):
    wanted = {
        "fsync": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "synchronous_commit": "on",
        "listen_addresses": "",
        "jit": "off",
        "max_connections": "200",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
    }
    assert {name: _query(server.url, f"SHOW {name}") for name in wanted} == wanted
    assert _query(server.url, "SELECT current_database()") == "combine"
    assert _query(server.url, "SELECT upper('straße ñ')") == "STRASSE Ñ".replace("SS", "ß")
    assert (server.data_dir / "postgres").stat().st_mode & 0o077 == 0
    assert server.data_dir.stat().st_mode & 0o066 == 0


def test_processes_that_start_it_together_share_one(data_dir):
    processes = [_start_in_another_process(data_dir) for _ in range(3)]
    said = [json.loads(process.communicate()[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len({pid for pid, _ in said}) == 1
    assert sorted(now for _, now in said) == [False, False, True]


def test_it_outlives_a_killed_client(data_dir):
    client = _start_in_another_process(data_dir, then="import time; time.sleep(60)")
    pid, _ = json.loads(client.stdout.readline())
    client.kill()
    client.communicate()
    found = start_embedded(data_dir)
    assert (found.pid, found.started_now) == (pid, False)
    assert _query(found.url, "SELECT 1") == 1


def test_a_start_killed_while_it_creates_the_database_leaves_nothing_in_the_way(data_dir):
    starter = _start_in_another_process(data_dir)
    _wait_until(lambda: any(data_dir.glob("postgres.new-*/PG_VERSION")))
    starter.kill()
    starter.communicate()
    found = start_embedded(data_dir)
    assert found.started_now
    assert _query(found.url, "SELECT 1") == 1
    assert stop_embedded(data_dir)
    assert start_embedded(data_dir).started_now
    assert not list(data_dir.glob("postgres.new-*"))


def test_a_killed_server_recovers_with_everything_committed(data_dir):
    found = start_embedded(data_dir)
    _query(found.url, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS a")
    os.kill(found.pid, signal.SIGKILL)
    _wait_until(lambda: embedded_status(data_dir) is None)
    again = start_embedded(data_dir)
    assert again.started_now
    assert _query(again.url, "SELECT count(*) FROM kept") == 1000


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(data_dir):
    start_embedded(data_dir)
    pid_file = data_dir / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    stop_embedded(data_dir)
    stale = "\n".join([str(os.getpid()), *lines[1:]])
    pid_file.write_text(stale)
    (data_dir / "postgres" / ".s.PGSQL.5432.lock").write_text(stale)
    assert embedded_status(data_dir) is None
    assert start_embedded(data_dir).started_now


def test_a_server_whose_socket_was_deleted_is_started_again(data_dir):
    found = start_embedded(data_dir)
    _query(found.url, "CREATE TABLE kept (a int)")
    (data_dir / "postgres" / ".s.PGSQL.5432").unlink()
    again = start_embedded(data_dir)
    assert again.pid != found.pid
    assert _query(again.url, "SELECT count(*) FROM kept") == 0


def test_a_path_too_long_for_a_socket_gets_its_socket_elsewhere(data_dir):
    long = data_dir / ("x" * 60) / ("y" * 60)
    try:
        found = start_embedded(long)
        assert _query(found.url, "SELECT 1") == 1
        assert start_embedded(long).pid == found.pid
        socket_dir = Path((long / "postgres" / "postmaster.pid").read_text().splitlines()[4])
        assert socket_dir.stat().st_mode & 0o077 == 0
    finally:
        stop_embedded(long)
    assert not socket_dir.exists()


def _occupied(data_dir):
    data_dir.parent.mkdir(exist_ok=True)
    data_dir.write_text("a file")


def _foreign(data_dir):
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "notes.txt").write_text("mine")


def _older(data_dir):
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "PG_VERSION").write_text("9.6\n")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [(_occupied, "data_dir_unusable"), (_foreign, "embedded_damaged"), (_older, "embedded_version")],
)
def test_a_folder_that_cannot_be_used_is_explained_and_left_alone(tmp_path, spoil, code):
    data_dir = tmp_path / "home"
    spoil(data_dir)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(Unavailable) as caught:
        start_embedded(data_dir)
    assert caught.value.code == code
    assert caught.value.hint
    assert set(before) <= {path.name for path in tmp_path.rglob("*")}


def test_a_damaged_cluster_is_explained(data_dir):
    start_embedded(data_dir)
    stop_embedded(data_dir)
    (data_dir / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(Unavailable) as caught:
        start_embedded(data_dir)
    assert caught.value.code == "embedded_start_failed"
    assert "could not find the database system" in caught.value.message
    assert "postgres.log" in caught.value.hint


@pytest.mark.parametrize("name", ["start.lock", "postgres.log"])
def test_a_link_in_the_data_folder_is_not_followed(data_dir, tmp_path, name):
    other = tmp_path / "secret"
    other.write_text("secret")
    other.chmod(0o640)
    data_dir.mkdir()
    (data_dir / name).symlink_to(other)
    before = other.stat()
    with pytest.raises(Unavailable, match="cannot be used"):
        start_embedded(data_dir)
    after = other.stat()
    assert (after.st_uid, after.st_gid, after.st_mode, other.read_text()) == (
        before.st_uid,
        before.st_gid,
        before.st_mode,
        "secret",
    )
    (data_dir / name).unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could be made to change the files of others")
def test_root_does_not_work_on_the_folder_of_another_user(data_dir):
    data_dir.mkdir()
    os.chown(data_dir, 65534, 65534)
    with pytest.raises(Unavailable, match="belongs to another user"):
        start_embedded(data_dir)
    os.chown(data_dir, 0, 0)

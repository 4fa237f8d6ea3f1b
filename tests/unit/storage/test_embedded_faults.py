from pathlib import Path
from subprocess import CompletedProcess

import pytest

from combine.errors import DatabaseUnavailable, Unavailable
from combine.storage.server.embedded import _last_fault, _must
from combine.storage.server.embedded_host import Host

HOST = Host(Path("/data"), Path("/programs"), None, None)


@pytest.mark.parametrize(
    ("log", "fault"),
    [
        ("", None),
        ("2026-01-01 UTC [1] LOG:  database system is ready", None),
        ("[1] FATAL:  could not bind\n[1] LOG:  database system is shut down", "could not bind"),
        ("[1] ERROR:  first\n[1] PANIC:  second\n", "second"),
        ("initdb: error: directory exists but is not empty", "directory exists but is not empty"),
    ],
)
def test_the_last_fault_of_a_log_is_found(log, fault):
    assert _last_fault(log) == fault


@pytest.mark.parametrize(
    ("output", "code", "words"),
    [
        ("initdb: error: could not write: No space left on device", "database_disk_full", "/data is full"),
        ("initdb: error: invalid locale", "embedded_start_failed", "invalid locale"),
        ("", "embedded_start_failed", "exit code 1"),
    ],
)
def test_a_failed_program_is_explained(output, code, words):
    with pytest.raises(Unavailable, match=words) as caught:
        _must(HOST, CompletedProcess([], 1, output))
    assert caught.value.code == code
    assert caught.value.hint


def test_a_program_that_did_its_work_says_nothing():
    _must(HOST, CompletedProcess([], 0, "done"))
    with pytest.raises(DatabaseUnavailable, match="no such thing"):
        _must(HOST, CompletedProcess([], 0, "ERROR:  no such thing"), failed=True)

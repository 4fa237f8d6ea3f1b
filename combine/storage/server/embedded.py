"""The embedded PostgreSQL: started when needed, shared by all processes, left running.

A cluster is created in a temporary folder next to its final path, synced and then renamed, so a killed or failed start
leaves nothing incomplete behind. A file lock lets one process at a time start or stop it. It only listens on a socket
in a folder of the server's user, not on the network.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from combine.errors import DatabaseUnavailable, Unavailable
from combine.storage.server.embedded_host import PORT, Host, disk_full, folder_fault, prepare_host

Report = Callable[[str], None]
"""Called with a description of slow operations: ``creating the database``, ``recovering the database``..."""

DATABASE = SUPERUSER = "combine"
PATIENCE = timedelta(minutes=5)
_SLOW_SECONDS = 2.0
_UNFINISHED = "postgres.new-"
_NO_PROCESS = 2**31 - 1
_LARGEST_LOG = 4_000_000

_SERVER_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",  # no replicas
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_parallel_workers_per_gather": "0",  # small containers lack shared memory for them
    "io_method": "sync",  # no worker processes for reads that fit in memory
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
    "cluster_name": "combine",
}


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """An embedded server that accepts connections."""

    url: str
    pid: int
    version: str
    """PostgreSQL's major version."""
    data_dir: Path
    started_now: bool
    """False: it was already running."""


@dataclass(frozen=True, slots=True)
class _Postmaster:
    """The content of ``postmaster.pid``."""

    pid: int
    socket_dir: str
    status: str

    def accepts(self) -> bool:
        """Whether a server listens on its socket and is ready."""
        if self.status != "ready":
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(2)
            try:
                client.connect(f"{self.socket_dir}/.s.PGSQL.{PORT}")
            except OSError:
                return False
        return True


def start_embedded(
    data_dir: Path, *, report: Report | None = None, give_up_after: timedelta = PATIENCE
) -> EmbeddedServer:
    """The running server of ``data_dir``, created and started if necessary. Blocks.

    Waits up to ``give_up_after`` for a server that has to recover after a crash. Raises Unavailable with the next step
    (folder not usable, disk full, created by another version), DatabaseUnavailable if it does not start.
    """
    host = prepare_host(data_dir)
    say = report or (lambda _words: None)
    deadline = time.monotonic() + give_up_after.total_seconds()
    if (running := _running(host)) is not None:
        return _server(host, running, started_now=False)
    try:
        with _lock(host, deadline, say):
            if (running := _running(host)) is not None:
                return _server(host, running, started_now=False)
            _ensure_cluster(host, say)
            return _server(host, _bring_up(host, deadline, say), started_now=True)
    except OSError as error:
        raise folder_fault(host.data_dir, error) from error
    except subprocess.TimeoutExpired as error:
        raise _start_failed(host, f"{Path(str(error.cmd[0])).name} took longer than {error.timeout:.0f} s") from error


def stop_embedded(data_dir: Path) -> bool:
    """Stop the server of ``data_dir``; connections are closed, nothing committed is lost. False: it was not running."""
    host = prepare_host(data_dir)
    with _lock(host, time.monotonic() + PATIENCE.total_seconds(), lambda _words: None):
        found = _postmaster(host.cluster)
        if found is None or not _is_alive(found.pid, host.cluster):
            return False
        _stop(host)
        if found.socket_dir != str(host.cluster):
            with suppress(OSError):
                Path(found.socket_dir).rmdir()
        return True


def embedded_status(data_dir: Path) -> EmbeddedServer | None:
    """The server of ``data_dir`` if it accepts connections. Changes nothing and starts nothing."""
    folder = data_dir.expanduser().absolute()
    with suppress(OSError):
        folder = folder.resolve()
        host = Host(folder, folder, None, None)
        if (running := _running(host)) is not None:
            return _server(host, running, started_now=False)
    return None


def _server(host: Host, postmaster: _Postmaster, *, started_now: bool) -> EmbeddedServer:
    return EmbeddedServer(
        url=f"postgresql://{SUPERUSER}@/{DATABASE}?host={quote(postmaster.socket_dir, safe='/')}&port={PORT}",
        pid=postmaster.pid,
        version=(host.cluster / "PG_VERSION").read_text().strip(),
        data_dir=host.data_dir,
        started_now=started_now,
    )


@contextmanager
def _lock(host: Host, deadline: float, say: Report) -> Iterator[None]:
    """One process at a time; the system releases the lock when the process ends."""
    import fcntl  # noqa: PLC0415 - not on Windows, which prepare_host has rejected

    began, told = time.monotonic(), False
    with host.open_own(host.data_dir / "start.lock") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise _start_failed(
                        host, "timed out waiting for another process that is starting or stopping it"
                    ) from None
            if not told and time.monotonic() - began > _SLOW_SECONDS:
                say("waiting for another process that is starting the database")
                told = True
            time.sleep(0.02)
        yield


def _ensure_cluster(host: Host, say: Report) -> None:
    for unfinished in host.data_dir.glob(f"{_UNFINISHED}*"):  # left by starts that were killed
        shutil.rmtree(unfinished, ignore_errors=True)
    cluster = host.cluster
    if (cluster / "PG_VERSION").exists():
        made_by = (cluster / "PG_VERSION").read_text().strip()
        shipped = host.run("postgres", "--version").stdout.rsplit(" ", 1)[-1].split(".")[0].strip()
        if made_by != shipped:
            raise Unavailable(
                f"The database in {cluster} was created by PostgreSQL {made_by}; this version includes {shipped}.",
                code="embedded_version",
                hint="Export it with the version that created it (`combine docs export`, or pg_dumpall), "
                f"move {cluster} away and start again.",
            )
        return
    if cluster.exists() and any(cluster.iterdir()):
        raise Unavailable(
            f"{cluster} is not empty but does not contain a PostgreSQL database.",
            code="embedded_damaged",
            hint="Restore it from a backup, or move it away: a new database is created if it is absent.",
        )
    say("creating the database")
    _make_cluster(host)


def _make_cluster(host: Host) -> None:
    # A unique name: the initdb of a killed start may still be running in another one.
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=host.data_dir))
    host.give(unfinished)
    place = ("-D", str(unfinished))
    settings = [
        part for key in ("listen_addresses", "max_connections") for part in ("-c", f"{key}={_SERVER_OPTIONS[key]}")
    ]
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    build = ("--auth=trust", f"--username={SUPERUSER}", "--no-instructions", "--no-sync")
    try:
        _must(host, host.run("initdb", *place, *build, *locale, *settings))
        made = host.run("postgres", "--single", *place, "template1", given=f"CREATE DATABASE {DATABASE}\n")
        _must(host, made, failed="ERROR:" in made.stdout)
        # Nothing has been synced to disk so far, for speed; now sync everything once.
        _must(host, host.run("initdb", *place, "--sync-only"))
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    if host.cluster.exists():
        host.cluster.rmdir()
    unfinished.rename(host.cluster)
    folder = os.open(host.data_dir, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _must(host: Host, done: subprocess.CompletedProcess[str], *, failed: bool = False) -> None:
    if not failed and done.returncode == 0:
        return
    if "No space left on device" in done.stdout:
        raise disk_full(host.data_dir)
    raise _start_failed(host, _last_fault(done.stdout) or _last_line(done.stdout) or f"exit code {done.returncode}")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _bring_up(host: Host, deadline: float, say: Report) -> _Postmaster:
    began, told, deaf_since = time.monotonic(), False, None
    launch = _Launch(host)
    while (now := time.monotonic()) < deadline:
        found = _postmaster(host.cluster)
        if found is not None and found.accepts():
            return found
        if found is None or not _is_alive(found.pid, host.cluster):
            launch.again_if_over()
            deaf_since = None
        elif found.status == "ready":  # its socket was deleted; only a restart creates a new one
            deaf_since = deaf_since or now
            if now - deaf_since > _SLOW_SECONDS:
                _stop(host)
        if not told and now - began > _SLOW_SECONDS:
            say("recovering the database after an unclean shutdown")
            told = True
        time.sleep(0.01)
    raise _start_failed(host, "it is still recovering in the background; try again later")


class _Launch:
    """Starts the server process, and reads its log if it ended at once."""

    _APPEARS_SECONDS = 20.0
    _ENDS_SECONDS = 1.0  # log output and still no pid file: an error before the actual server start
    _MOST_REFUSALS = 5
    _TRANSIENT = ("pre-existing shared memory block", "the database system is shutting down")

    def __init__(self, host: Host) -> None:
        self._host = host
        self._at: float | None = None
        self._log_size = 0
        self._refusals = 0

    def again_if_over(self) -> None:
        """Launch for the first time, or again after a transient error. Raises if the last launch failed permanently."""
        if self._at is not None:
            since = time.monotonic() - self._at
            written = self._written()
            fault = _last_fault(written)
            if fault is None and since < (self._ENDS_SECONDS if written else self._APPEARS_SECONDS):
                return
            if fault is None or not any(words in fault for words in self._TRANSIENT):
                raise self._failure(fault or " ".join(written.split()) or "it ended without a message")
            if since < self._ENDS_SECONDS:
                return
        self._launch()

    def _launch(self) -> None:
        host = self._host
        socket_dir = host.socket_dir()
        _disown(host.cluster / "postmaster.pid", host.cluster)
        _disown(socket_dir / f".s.PGSQL.{PORT}.lock", host.cluster)
        self._log_size = _rotated_log(host)
        options = {**_SERVER_OPTIONS, "unix_socket_directories": str(socket_dir), "port": str(PORT)}
        words = " ".join(
            ["-D", shlex.quote(str(host.cluster)), *(f"-c {shlex.quote(f'{k}={v}')}" for k, v in options.items())]
        )
        log = re.sub(r'([\\"$`])', r"\\\1", str(host.log))  # pg_ctl puts it into a shell command, in double quotes
        done = host.run("pg_ctl", "start", "-W", "-l", log, "-o", words)
        if done.returncode == 0:
            self._at = time.monotonic()
            return
        # On a machine short of resources pg_ctl sometimes fails before it has started anything.
        self._refusals += 1
        if self._refusals > self._MOST_REFUSALS:
            _must(host, done)
        time.sleep(0.1 * self._refusals)

    def _written(self) -> str:
        with self._host.log.open(errors="replace") as file:
            file.seek(self._log_size)
            return file.read()

    def _failure(self, fault: str) -> Unavailable:
        return disk_full(self._host.data_dir) if "No space left" in fault else _start_failed(self._host, fault)


def _disown(lock_file: Path, cluster: Path) -> None:
    """Remove a dead server's pid from its lock file.

    The pid may have been reused by another process (or belong to a zombie), and PostgreSQL would take it for a running
    server. The rest of the file stays: PostgreSQL uses it to find orphans that still use the old server's memory.
    """
    with suppress(FileNotFoundError), _opened_itself(lock_file) as file:
        number, newline, rest = file.read().partition("\n")
        if not (number.strip().isdigit() and _is_alive(int(number), cluster)):
            file.seek(0)
            file.truncate()
            file.write(f"{_NO_PROCESS}{newline}{rest}")


def _opened_itself(path: Path) -> TextIO:
    """The file, to be read and written. Raises OSError for a link, which may point to what its owner may not change."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC), "r+")


def _rotated_log(host: Host) -> int:
    """Its size in bytes; a large log is rotated first, so that there are at most two."""
    if host.log.exists() and host.log.lstat().st_size > _LARGEST_LOG:
        host.log.rename(host.log.with_suffix(".log.1"))
    with host.open_own(host.log) as file:
        return os.fstat(file.fileno()).st_size


def _stop(host: Host) -> None:
    for mode, seconds in (("fast", 60), ("immediate", 30)):
        done = host.run("pg_ctl", "stop", "-D", str(host.cluster), "-m", mode, "-w", "-t", str(seconds))
        if done.returncode == 0 or _postmaster(host.cluster) is None:
            return
    raise _start_failed(host, "it could not be stopped")


def _running(host: Host) -> _Postmaster | None:
    found = _postmaster(host.cluster)
    return found if found is not None and found.accepts() else None


def _postmaster(cluster: Path) -> _Postmaster | None:
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        return _Postmaster(int(lines[0]), lines[4], lines[7].strip() if len(lines) > 7 else "starting")  # noqa: PLR2004
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (IndexError, ValueError):  # is being written
        return None


def _is_alive(pid: int, cluster: Path) -> bool:
    """Whether ``pid`` is the server of ``cluster``, and not another process with a reused pid."""
    if Path("/proc/self/stat").exists():
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False
        return state != "Z" and os.fsencode(cluster) in words.split(b"\0")
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    listed = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - a number and fixed arguments
    return str(cluster) in listed.stdout


def _last_fault(text: str) -> str | None:
    """The last log line that says why PostgreSQL failed."""
    for line in reversed(text.splitlines()):
        for word in ("FATAL:", "PANIC:", "ERROR:", "error:"):
            if word in line:
                return line.partition(word)[2].strip()
    return None


def _start_failed(host: Host, why: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"The embedded database in {host.data_dir} does not start: {why}.",
        code="embedded_start_failed",
        hint=f"See its log, {host.log}, or set COMBINE_DATABASE_URL to a PostgreSQL server.",
    )

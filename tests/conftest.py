"""What every test may use: a clean environment, and real PostgreSQL.

One embedded server serves a whole run, also one spread over several processes: whoever needs it first starts it, the
process that began the run stops it. Each test gets a database of its own, copied from a migrated template.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import settings

from combine.storage.server.embedded import EmbeddedServer, start_embedded, stop_embedded
from combine.storage.server.embedded_host import prepare_host

if TYPE_CHECKING:
    from combine.storage.core.database import Database
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a script; what tests start inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("house", deadline=None)  # no test asserts a time
settings.load_profile("house")
_HOME_VARIABLE = "TEST_POSTGRES_HOME"
_HOME_PREFIX = "combine-tests-"
_TEMPLATE = "template_combine"
_FOREIGN = ("COMBINE_", "ANTHROPIC_", "OPENAI_", "AWS_", "PG")


def pytest_configure(config: pytest.Config) -> None:
    """The process that begins the run names the server's home; its workers inherit the name."""
    if hasattr(config, "workerinput"):
        return
    _sweep()
    os.environ[_HOME_VARIABLE] = tempfile.mkdtemp(prefix=f"{_HOME_PREFIX}{os.getpid()}-", dir="/tmp")


def pytest_unconfigure(config: pytest.Config) -> None:
    """The process that began the run ends the server."""
    if not hasattr(config, "workerinput") and (home := os.environ.pop(_HOME_VARIABLE, None)):
        _remove_home(Path(home))


def _sweep() -> None:
    """Homes of runs that were killed."""
    for home in Path("/tmp").glob(f"{_HOME_PREFIX}*"):
        with suppress(ValueError, OSError):
            if not Path(f"/proc/{int(home.name.split('-')[2])}").exists() and Path("/proc/self").exists():
                _remove_home(home)


def _remove_home(home: Path) -> None:
    if any(home.iterdir()):
        for data_dir in home.iterdir():
            stop_embedded(data_dir)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting, key or address of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN):
            monkeypatch.delenv(name)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder of the test's own, with a short path; a server that was started in it is stopped."""
    folder = Path(os.environ[_HOME_VARIABLE]) / f"own-{uuid4().hex[:8]}"
    yield folder
    if folder.exists():
        stop_embedded(folder)
        shutil.rmtree(folder)


@dataclass
class OwnServer:
    """A server of the test's own, to be stopped and killed at will."""

    data_dir: Path
    url: str

    def crash(self) -> None:
        """Stop as after a power cut: nothing is written out, connections break."""
        host = prepare_host(self.data_dir)
        assert host.run("pg_ctl", "stop", "-D", str(host.cluster), "-m", "immediate", "-w").returncode == 0

    def start(self) -> EmbeddedServer:
        """Start it again."""
        return start_embedded(self.data_dir)


@pytest.fixture
def server(data_dir: Path) -> OwnServer:
    """A running server of the test's own, its database migrated."""
    url = start_embedded(data_dir).url
    _migrate(url)
    return OwnServer(data_dir, url)


@pytest.fixture(scope="session")
def shared_server_url() -> str:
    """The run's server, and in it the template that every test's database is copied from."""
    import psycopg

    url = start_embedded(Path(os.environ[_HOME_VARIABLE]) / "shared").url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(1)")  # one of the run's processes makes the template
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_TEMPLATE]).fetchone() is None:
            for setting in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE unfinished")
            _migrate(_with_database(url, "unfinished"))
            connection.execute(f"ALTER DATABASE unfinished RENAME TO {_TEMPLATE}")
    return url


@pytest.fixture
def database_url(shared_server_url: str) -> Iterator[str]:
    """A fresh, migrated database of the test's own."""
    import psycopg

    name = f"test_{uuid4().hex}"
    with psycopg.connect(shared_server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY file_copy")
        yield _with_database(shared_server_url, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh, migrated database of the test's own, opened."""
    from combine.storage.core.database import Database

    opened = Database(database_url)
    yield opened
    await opened.close()


def _with_database(url: str, name: str) -> str:
    return url.replace("/combine?", f"/{name}?")


def _migrate(url: str) -> None:
    from combine.storage.server import migrate

    migrate._upgrade(url)

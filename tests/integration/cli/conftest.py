"""`combine` as a process of its own, against a real database, with replies from a script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from command_line import Cli


@pytest.fixture(scope="session")
def bytecode(pytestconfig: pytest.Config) -> Path:
    """Where compiled modules are kept from run to run; a process that compiles all of them takes twice as long."""
    cache = pytestconfig.cache
    return cache.mkdir("bytecode") if cache is not None else Path("/tmp/combine-bytecode")


@pytest.fixture
def cli(tmp_path: Path, database_url: str, bytecode: Path) -> Cli:
    """Commands on a fresh database."""
    made = Cli(tmp_path, database_url, bytecode)
    made.script()
    return made


@pytest.fixture(scope="module")
def module_database_url(shared_server_url: str) -> Iterator[str]:
    """A migrated database that the tests of one module share."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(shared_server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template_combine STRATEGY file_copy")
        yield shared_server_url.replace("/combine?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def module_cli(tmp_path_factory: pytest.TempPathFactory, module_database_url: str, bytecode: Path) -> Cli:
    """Commands on a database that the tests of one module share."""
    made = Cli(tmp_path_factory.mktemp("cli"), module_database_url, bytecode)
    made.script()
    return made

"""Runs every outcome once, with real processes, for all contract tests; see ``played.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_server import new_database
from played import Played, play


@pytest.fixture(scope="session")
def played(
    shared_server_url: str, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Played]:
    """What the commands have printed, and the databases that they have written."""
    cache = pytestconfig.cache
    bytecode = Path("/tmp/combine-bytecode") if cache is None else cache.mkdir("bytecode")
    with new_database(shared_server_url) as url, new_database(shared_server_url) as other:
        yield play(tmp_path_factory.mktemp("played"), bytecode, url, other)

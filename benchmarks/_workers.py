"""Shared by the benchmarks of several processes: a server, `combine worker`, executions, figures of the kernel."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COMBINE = Path(sys.executable).parent / "combine"
sys.path.insert(0, str(ROOT / "tests" / "fakes"))

import bakery  # noqa: E402 - the path comes first

TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def own_server() -> Iterator[Path]:
    """The data folder of a PostgreSQL server for this benchmark, with fsync on."""
    from combine.storage.server.embedded import start_embedded, stop_embedded

    with tempfile.TemporaryDirectory(prefix="combine-bench-", dir="/tmp") as folder:
        home = Path(folder) / "data"
        start_embedded(home)
        try:
            yield home
        finally:
            stop_embedded(home)


def fresh_database(home: Path, name: str) -> str:
    """The URL of a new database with our empty tables."""
    import asyncio

    import psycopg

    from combine.storage.core.urls import libpq_url
    from combine.storage.server.embedded import start_embedded
    from combine.storage.server.migrate import upgrade

    url = start_embedded(home).url
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = url.replace("/combine?", f"/{name}?")
    asyncio.run(upgrade(url))
    return url


def script(folder: Path, *, delay_s: float = 0.0, ask: bool = False) -> Path:
    """A script for the scripted provider with the bakery's documents; with ``ask``, discovery asks a question first."""
    replies: dict[str, Any] = {
        type_: [
            {
                "json": {
                    **({} if type_ == bakery.TYPES[-1] else {"questions": []}),
                    "document": bakery.document(type_),
                }
            }
        ]
        for type_ in bakery.TYPES
    }
    if ask:
        asking = {"json": {"questions": [bakery.QUESTION], "document": None}, "when": {"lacks": ['"Q-1"']}}
        replies["project-discovery"].insert(0, asking)
    else:
        replies["requirements-doc"] = [{"json": {"questions": [], "document": bakery.unasked_requirements()}}]
    path = folder / f"script-{delay_s:g}-{ask}.json"
    path.write_text(json.dumps({"delay_s": delay_s, "replies": replies}), encoding="utf-8")
    return path


def environment(url: str, script_file: Path, **more: str) -> dict[str, str]:
    """Environment variables for a worker on that database."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("COMBINE_", "ANTHROPIC_"))}
    return {**own, "COMBINE_DATABASE_URL": url, "COMBINE_SCRIPTED_FILE": str(script_file), **more}


@dataclass
class Worker:
    """A running `combine worker`."""

    process: subprocess.Popen[str]
    ready_s: float

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_mb(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def worker(settings: dict[str, str]) -> Worker:
    begin = time.perf_counter()
    process = subprocess.Popen(
        [COMBINE, "worker"], env=settings, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "Worker ready" in line:
            return Worker(process, time.perf_counter() - begin)
    sys.exit("the worker did not start")


@asynccontextmanager
async def office(settings: dict[str, str]) -> AsyncIterator[Any]:
    """The services in this process, which runs no segments."""
    from combine.bootstrap import open_working
    from combine.settings import read_settings

    os.environ.update(settings)
    async with open_working(read_settings(), print, kind="bench", shared=True, start=False) as working:
        yield working


async def start(working: Any, name: str) -> Any:
    """Start one execution in a new project."""
    from combine.brief.reading import split_brief
    from combine.services.commands import StartExecution

    brief = split_brief(bakery.BRIEF)
    return await working.executions.start(StartExecution(brief, "strategy-document", name, "scripted"))


async def fetch(working: Any, query: str) -> Any:
    """Return the rows of one query."""
    import sqlalchemy as sa

    async with working.database.read() as session:
        return (await session.connection.execute(sa.text(query))).all()


async def change(working: Any, *statements: str) -> None:
    """Run statements in one transaction."""
    import sqlalchemy as sa

    async def work(session: Any) -> None:
        for statement in statements:
            await session.connection.execute(sa.text(statement))

    await working.database.transact(work)


def headline(title: str) -> str:
    """A heading with the date and the machine."""
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores {platform.machine()}"
    return f"## {title}, {made}, Python {platform.python_version()}\n"

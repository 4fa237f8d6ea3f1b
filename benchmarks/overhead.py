"""Overhead compared with the time of the calls, and with LangGraph and its Postgres checkpointer.

Every case runs in a separate process on one embedded PostgreSQL (fsync on). The replies are the same four documents
in all cases. Prints Markdown tables with the date and the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "fakes"))

import bakery  # noqa: E402 - the path comes first

CALL_S = 2.0
STEPS = 4


def reply_to(request: Any) -> str:
    """The bakery's document of the requested type; no questions."""
    return REPLIES[request.schema_name]


REPLIES = {type_: bakery.reply(bakery.document(type_)) for type_ in bakery.TYPES}
REPLIES["requirements-doc"] = bakery.reply(bakery.unasked_requirements())


async def run_combine(url: str, executions: int, delay_s: float) -> dict[str, float]:
    """Start ``executions`` at once, each in its own project, and wait until all have completed."""
    from combine import __version__
    from combine.auth.permissions import OPERATOR
    from combine.brief.reading import split_brief
    from combine.engine.engine import Engine
    from combine.execution.kept_replies import KeptReplies
    from combine.execution.runner import ExecutionRunner
    from combine.execution.telemetry import Telemetry
    from combine.llm.pricing import Pricing
    from combine.llm.scripted import ScriptedProvider, ScriptedReply
    from combine.services.commands import StartExecution
    from combine.services.executions import ExecutionService
    from combine.storage.core.database import Database
    from combine.storage.core.listener import EventListener
    from combine.workflows.catalog import load_catalog

    provider = ScriptedProvider(lambda request: ScriptedReply(text=reply_to(request), delay_s=delay_s))

    class Providers:
        def provider(self, _: Any) -> ScriptedProvider:
            return provider

    catalog, pricing, database = load_catalog(None), Pricing({}), Database(url, pool_size=10)
    listener = EventListener(url)
    await listener.start()
    replies = KeptReplies(database, None)
    runner = ExecutionRunner(database, catalog, Providers(), pricing, Telemetry(database), replies, 32_000)
    ends: asyncio.Queue[None] = asyncio.Queue()

    async def segment(claimed: Any) -> None:
        await runner.run(claimed)
        ends.put_nowait(None)

    engine = Engine(database, listener, segment, kind="bench", shared=True, version=__version__, concurrency=100)
    await engine.start()
    service = ExecutionService(database, catalog, engine, pricing, actor=OPERATOR)
    brief = split_brief(bakery.BRIEF)

    async def start(*names: str) -> None:
        started = [StartExecution(brief, "strategy-document", name, "scripted") for name in names]
        await asyncio.gather(*(service.start(one) for one in started))
        for _ in names:
            await ends.get()

    await start("warm-up")
    cpu, begin = _cpu(), time.perf_counter()
    await start(*(f"bench-{n}" for n in range(executions)))
    wall, used = time.perf_counter() - begin, _cpu() - cpu
    await must_have_completed(database)
    await engine.drain()
    await listener.close()
    await database.close()
    return _figures(executions, wall, used)


async def must_have_completed(database: Any) -> None:
    """Fail if an execution has not completed: its time would not count."""
    import sqlalchemy as sa

    async with database.read() as session:
        query = "SELECT status, reason, count(*) FROM executions WHERE status <> 'completed' GROUP BY 1, 2"
        stopped = (await session.connection.execute(sa.text(query))).all()
    if stopped:
        sys.exit(f"not all executions completed: {stopped}")


async def run_langgraph(url: str, executions: int, delay_s: float) -> dict[str, float]:
    """Four nodes in a row that return the same replies, checkpointed to PostgreSQL in durability ``sync``."""
    from typing import TypedDict

    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from langgraph.graph import END, START, StateGraph
    from psycopg.rows import dict_row
    from psycopg_pool import AsyncConnectionPool

    State = TypedDict("State", {type_.replace("-", "_"): dict for type_ in bakery.TYPES})

    def node(type_: str) -> Any:
        async def draft(_: State) -> dict[str, Any]:
            if delay_s:
                await asyncio.sleep(delay_s)
            return {type_.replace("-", "_"): json.loads(REPLIES[type_])["document"]}

        return draft

    graph = StateGraph(State)
    before = START
    for type_ in bakery.TYPES:
        graph.add_node(type_, node(type_))
        graph.add_edge(before, type_)
        before = type_
    graph.add_edge(before, END)
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(url.replace("+psycopg", ""), min_size=10, max_size=10, kwargs=options) as pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        app = graph.compile(checkpointer=saver)

        async def one(name: str) -> None:
            await app.ainvoke({}, {"configurable": {"thread_id": name}}, durability="sync")

        await one("warm")
        cpu, begin = _cpu(), time.perf_counter()
        await asyncio.gather(*(one(f"bench-{n}") for n in range(executions)))
        return _figures(executions, time.perf_counter() - begin, _cpu() - cpu)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _figures(executions: int, wall: float, cpu: float) -> dict[str, float]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"executions": executions, "wall_s": wall, "cpu_s": cpu, "peak_mb": peak}


def measure(case: str, url: str, executions: int, delay_s: float) -> dict[str, float]:
    """Run one case in a separate process."""
    command = [sys.executable, __file__, "--case", case, "--url", url, "-n", str(executions), "--delay", str(delay_s)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr)
        sys.exit(f"{case}: exit code {done.returncode}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def fresh_database(server_url: str, name: str) -> str:
    """An empty, migrated database on the server."""
    import psycopg

    from combine.storage.core.urls import libpq_url
    from combine.storage.server.migrate import upgrade

    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = server_url.replace("/combine?", f"/{name}?")
    asyncio.run(upgrade(url))
    return url


def main() -> None:
    """Run all cases, or the one that ``measure`` requests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case")
    parser.add_argument("--url")
    parser.add_argument("-n", type=int, default=100)
    parser.add_argument("--delay", type=float, default=0.0)
    given = parser.parse_args()
    if given.case:
        run = run_combine if given.case == "combine" else run_langgraph
        sys.stdout.write(json.dumps(asyncio.run(run(given.url, given.n, given.delay))) + "\n")
        return
    from combine.storage.server.embedded import start_embedded, stop_embedded

    with tempfile.TemporaryDirectory(prefix="combine-bench-", dir="/tmp") as folder:
        home = Path(folder) / "data"
        url = start_embedded(home).url
        try:
            report(url, given.n)
        finally:
            stop_embedded(home)


def report(url: str, executions: int) -> None:
    """Measure everything and print the tables."""
    sys.stdout.write(f"## Overhead, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.machine()}, ")
    sys.stdout.write(f"Python {platform.python_version()}\n\n")
    sys.stdout.write(f"Calls of exactly {CALL_S:g} s, {STEPS} steps in a row: wall time / {STEPS * CALL_S:g} s\n\n")
    sys.stdout.write("| executions at once | wall s | ratio | target |\n| --- | --- | --- | --- |\n")
    for count, target in ((1, 1.02), (50, 1.06)):
        result = measure("combine", fresh_database(url, f"overhead_{count}"), count, CALL_S)
        ratio = result["wall_s"] / (STEPS * CALL_S)
        sys.stdout.write(f"| {count} | {result['wall_s']:.2f} | {ratio:.3f} | <= {target} |\n")
        sys.stdout.flush()
    sys.stdout.write(f"\nZero latency, {executions} executions at once\n\n")
    sys.stdout.write("| | executions/s | CPU ms/execution | peak MB |\n| --- | --- | --- | --- |\n")
    names = {"combine": "The Combine", "langgraph": "LangGraph, Postgres checkpointer, durability sync"}
    for turn in (1, 2):
        for case, name in names.items():
            result = measure(case, fresh_database(url, f"{case}_{turn}"), executions, 0.0)
            rate = result["executions"] / result["wall_s"]
            cpu = 1000 * result["cpu_s"] / result["executions"]
            sys.stdout.write(f"| {name}, run {turn} | {rate:.1f} | {cpu:.1f} | {result['peak_mb']:.0f} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

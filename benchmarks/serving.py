"""The HTTP API: start, memory, reads at a constant rate, live events, many open streams. Prints Markdown.

`combine serve` on a new embedded database in a temporary folder, offline. The load comes from a separate process, open
loop: response times are measured from the moment a request was due. For comparison: two routes of a bare FastAPI.
`--soak 600` measures the memory under a moderate mix of requests instead.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from _serving import Busy, Load, Server, bare_app, cpu_s, memory_mb, quantile, together_mb
from _workers import headline

RATE = 200
OURS = "`GET /api/v1/executions/{id}`"
CPU_HEAD = "CPU %: server | database | load | others |"
CPU_RULE = "---: | ---: | ---: | ---: |"


def load_now() -> str:
    """The load average of the machine."""
    return " ".join(f"{one:.2f}" for one in os.getloadavg())


def met(value: float, mark: float) -> str:
    return "yes" if value < mark else "**no**"


@contextmanager
def data_folder() -> Iterator[Path]:
    """The data folder of an embedded server, which is stopped at the end."""
    from combine.storage.server.embedded import stop_embedded

    with tempfile.TemporaryDirectory(prefix="combine-bench-", dir="/tmp") as folder:
        home = Path(folder) / "data"
        try:
            yield home
        finally:
            stop_embedded(home)


def started(home: Path) -> None:
    """Start and memory of an idle server."""
    from combine.storage.server.embedded import stop_embedded

    resting = ""
    print("### Start\n\n| | target s | server ready s | worker ready s | met |\n| --- | ---: | ---: | ---: | --- |")
    names = ("fresh: the database is created", "again: the database runs", "again: the database is started, too")
    for name in names:
        server = Server(home)
        row = f"{server.ready_s:.2f} | {server.worker_ready_s or 0:.2f} | {met(server.ready_s, 3)}"
        print(f"| {name} | 3 | {row} |", flush=True)
        if name == names[1]:
            resting = idle(server)
        server.stop()
        if name == names[1]:
            stop_embedded(home)
    print(f"\n{resting}")


def idle(server: Server) -> str:
    """Idle memory and CPU, as a table."""
    time.sleep(3)
    pids = {"server": server.pid, "worker": server.children[0]}
    before, begin = {name: cpu_s(pid) for name, pid in pids.items()}, time.perf_counter()
    time.sleep(10)
    lines = ["### Idle\n", "| | CPU % of a core | RSS MB |", "| --- | ---: | ---: |"]
    seconds, resident = time.perf_counter() - begin, 0.0
    for name, pid in pids.items():
        lines.append(f"| {name} | {100 * (cpu_s(pid) - before[name]) / seconds:.1f} | {memory_mb(pid):.0f} |")
        resident += memory_mb(pid)
    both = together_mb(list(pids.values()))
    lines.append(f"| both | | {resident:.0f} |")
    lines.append(f"| both, libraries that they share counted once | | {both:.0f} |\n")
    lines.append(f"Mark 200 MB for both: {met(resident, 200)} by RSS, {met(both, 200)} with libraries once.\n")
    return "\n".join(lines)


def reads(server: Server, seconds: float, turns: int) -> None:
    """GET of one execution, and of the two bare routes."""
    from combine.storage.server.embedded import start_embedded

    executions = server.complete(10)
    paths = [f"/api/v1/executions/{one}" for one in executions]
    size = len(str(server.call("GET", f"/executions/{executions[0]}")))
    home = server.log.parent / "data"
    database_url = start_embedded(home).url
    print(f"### Reads: {RATE} requests/s for {seconds:g} s, constant rate, responses of about {size // 1000} KB\n")
    print("| | p50 ms | p95 ms | p99 ms | max ms | not 200 | sent late p99 ms |", CPU_HEAD)
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |", CPU_RULE)
    p99 = []
    with bare_app(database_url, size) as (bare, bare_url):
        cases = (
            (OURS, server.pid, server.url, paths),
            (f"{OURS}, compressed", server.pid, server.url, [*paths, "--gzip"]),
            ("bare FastAPI, one row by SQLAlchemy", bare.pid, bare_url, ["/row"]),
            ("bare FastAPI, a constant", bare.pid, bare_url, ["/constant"]),
        )
        for _, _, url, targets in cases:
            Load("rate", url, targets, "--rate", 50, "--seconds", 3).end()  # warm
        for _ in range(turns):
            for name, pid, url, targets in cases:
                found = read(name, Busy(pid, home), url, targets, seconds)
                p99 += [found] if name == OURS else []
    best = min(p99)
    print(f"\nTarget p99 < 25 ms: {met(best, 25)} in the best of {turns} turns, {met(max(p99), 25)} in the worst.\n")


def read(name: str, busy: Busy, url: str, targets: Sequence[str], seconds: float) -> float:
    """Print one row of the table; returns the p99."""
    found = Load("rate", url, targets, "--rate", RATE, "--seconds", seconds).end()
    ms, late = sorted(found["ms"]), sorted(found["late_ms"])
    bad = found["asked"] - found["statuses"].get("200", 0)
    figures = " | ".join(f"{one:.1f}" for one in (*(quantile(ms, part) for part in (0.5, 0.95, 0.99)), ms[-1]))
    print(f"| {name} | {figures} | {bad} | {quantile(late, 0.99):.1f} | {cpu_cells(busy, found)} |", flush=True)
    return quantile(ms, 0.99)


def cpu_cells(busy: Busy, found: Any) -> str:
    """CPU of each process, as cells of the table."""
    server, database, others = busy.until_now(found["cpu_s"])
    return " | ".join(f"{one:.0f}" for one in (server, database, 100 * found["cpu_s"] / found["wall_s"], others))


class Events:
    """Waiting executions, whose events this process writes as a worker would."""

    def __init__(self, database: Any, project: str) -> None:
        self.database, self.project = database, project
        self.ids: list[UUID] = []

    async def make(self, count: int) -> list[str]:
        """Create executions that wait for answers, so that nobody works on them and their streams stay open."""
        import sqlalchemy as sa
        from bakery import BRIEF

        from combine.brief.brief import brief_to_json
        from combine.brief.reading import split_brief
        from combine.storage.hot.starting import Start, store_start
        from combine.workflows.catalog import load_catalog
        from combine.workflows.definitions import definition_to_json

        brief, workflow = brief_to_json(split_brief(BRIEF)), load_catalog(None).workflow("strategy-document")
        self.ids = [uuid4() for _ in range(count)]
        for one in self.ids:
            start = Start(
                execution_id=one,
                project_id=uuid4(),
                project=self.project,
                brief_id=uuid4(),
                brief=brief,
                workflow_id=workflow.workflow_id,
                workflow_version=workflow.version,
                definition=definition_to_json(workflow),
                step_ids=[step.step_id for step in workflow.steps],
                model="offline",
                ask=True,
                given_answers={},
                budget_usd=None,
                allow_unpriced=False,
            )

            async def work(session: Any, start: Start = start) -> None:
                await store_start(session, start)
                query = "UPDATE executions SET status = 'waiting_for_answers' WHERE id = :id"
                await session.connection.execute(sa.text(query), {"id": start.execution_id})

            await self.database.transact(work)
        return [f"/api/v1/executions/{one}/events" for one in self.ids]

    async def write(self, rate: float, seconds: float) -> int:
        """Write events to the executions in turn, at a constant rate per second."""
        from combine.storage.events import Events as Stored

        loop = asyncio.get_running_loop()
        begin, count = loop.time(), round(rate * seconds)
        for number in range(count):
            await asyncio.sleep(begin + number / rate - loop.time())
            one = self.ids[number % len(self.ids)]
            data = {"output_tokens_estimated": number, "attempt": 1}
            await self.database.once(
                lambda session, one=one, data=data: Stored(session).append(one, "tick", "discovery", data)
            )
        return count


async def streams(server: Server, events: Events, seconds: float) -> None:
    """Latency from the commit to the clients."""
    print(f"### Live events: 500 streams, {seconds:g} s\n")
    print("| executions | events/s | arrivals | p50 ms | p95 ms | p99 ms | max ms | gaps | repeats |", end="")
    print(f" missing | ended early | met | {CPU_HEAD}\n" + "| ---: " * 12 + f"| {CPU_RULE}")
    for executions, rate in ((1, 2), (1, 10), (100, 100)):
        paths = await events.make(executions)
        load = Load("streams", server.url, paths, "--streams", 500)
        await asyncio.to_thread(load.wait_until_open)
        await asyncio.sleep(1)
        busy = Busy(server.pid, server.log.parent / "data")
        written = await events.write(rate, seconds)
        await asyncio.sleep(1)
        found = await asyncio.to_thread(load.end)
        cpu = cpu_cells(busy, found)
        ms = sorted(found["ms"])
        expected = written * 500 // executions
        p99 = quantile(ms, 0.99)
        figures = " | ".join(f"{one:.0f}" for one in (quantile(ms, 0.5), quantile(ms, 0.95), p99, ms[-1]))
        print(f"| {executions} | {rate} | {len(ms)} | {figures} | {found['gaps']} | {found['repeats']} | ", end="")
        print(f"{expected - len(ms)} | {found['ended']} | {met(p99, 250)} | {cpu} |", flush=True)
    print("\nTarget p99 < 250 ms. Measured from the time recorded in the event, a moment before its commit.\n")


async def many_streams(server: Server, events: Events, idle_s: float) -> None:
    """A thousand idle streams: memory, CPU, database connections. The server has no worker."""
    import sqlalchemy as sa

    query = sa.text("SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = 'combine' GROUP BY 1")
    paths = await events.make(100)
    empty = memory_mb(server.pid)
    load = Load("streams", server.url, paths, "--streams", 1000)
    await asyncio.to_thread(load.wait_until_open)
    await asyncio.sleep(2)
    before, begin = cpu_s(server.pid), time.perf_counter()
    await asyncio.sleep(idle_s)
    cpu = 100 * (cpu_s(server.pid) - before) / (time.perf_counter() - begin)
    full = memory_mb(server.pid)
    async with events.database.read() as session:
        connections = {row[0]: row[1] for row in await session.connection.execute(query)}
    await events.write(10, 10)
    await asyncio.sleep(1)
    found = await asyncio.to_thread(load.end)
    await asyncio.sleep(1)
    print("### 1,000 open streams on one process, 100 executions\n")
    print(
        "| RSS MB before | RSS MB with them | KB a stream | CPU % while nothing happens | listener connections |",
        end="",
    )
    print(" open | ended early |\n" + "| ---: " * 7 + "|")
    print(f"| {empty:.0f} | {full:.0f} | {1024 * (full - empty) / 1000:.0f} | {cpu:.1f} | ", end="")
    print(f"{connections.get('combine-listener', 0)} | {found['open']} | {found['ended']} |\n")
    ms = sorted(found["ms"])
    print(f"Then 10 events/s for 10 s: {len(ms)} arrivals, p50 {quantile(ms, 0.5):.0f} ms, p99 ", end="")
    print(f"{quantile(ms, 0.99):.0f} ms; gaps {found['gaps']}, repeats {found['repeats']}.\n", flush=True)


async def soak(server: Server, events: Events, seconds: float) -> None:
    """Memory per minute under reads, streams, starts and answers; the growth after the first three minutes counts."""
    executions = await asyncio.to_thread(server.complete, 5)
    document = server.call("GET", f"/executions/{executions[0]}")["documents"][0]["id"]
    pids = {"server": server.pid, "worker": server.children[0]}
    paths = [
        *(f"/api/v1/executions/{one}" for one in executions),
        "/api/v1/executions",
        "/api/v1/documents",
        "/api/v1/costs",
        f"/api/v1/executions/{executions[0]}/steps",
        f"/api/v1/documents/{document}",
        f"/api/v1/documents/{document}/export?format=html",
    ]
    steady = Load("streams", server.url, await events.make(20), "--streams", 100)
    await asyncio.to_thread(steady.wait_until_open)
    reading = Load("rate", server.url, paths, "--rate", 50, "--seconds", seconds)
    print(
        f"### Soak: {seconds:g} s\n\n50 reads/s, 100 streams with 10 events/s, an execution every 3 s that is ", end=""
    )
    print("asks questions, is followed by its own stream, answered and completed. RSS in MB.\n")
    print("| minute | server | worker | load |\n| ---: | ---: | ---: | --- |", flush=True)
    writing = asyncio.create_task(events.write(10, seconds))
    people = asyncio.create_task(asyncio.to_thread(work_as_people, server, seconds))
    kept: list[tuple[float, float]] = []
    begin = time.monotonic()
    for minute in range(int(seconds // 60) + 1):
        await asyncio.sleep(max(0.0, begin + 60 * minute - time.monotonic()))
        kept.append((memory_mb(pids["server"]), memory_mb(pids["worker"])))
        print(f"| {minute} | {kept[-1][0]:.1f} | {kept[-1][1]:.1f} | {load_now()} |", flush=True)
    await writing
    done = await people
    answered = await asyncio.to_thread(reading.end)
    held = await asyncio.to_thread(steady.end)
    bad = answered["asked"] - answered["statuses"].get("200", 0)
    grown = [after - before for before, after in zip(kept[min(3, len(kept) - 1)], kept[-1], strict=True)]
    print(f"\n{answered['answered']} reads ({bad} not 200), {len(held['ms'])} arrivals of events ", end="")
    print(f"(gaps {held['gaps']}, repeats {held['repeats']}), {done} executions.")
    print(f"Growth from minute 3 to the end: server {grown[0]:+.1f} MB, worker {grown[1]:+.1f} MB.\n")


def work_as_people(server: Server, seconds: float) -> int:
    """Start, follow to the end, answer; one execution every three seconds."""
    import urllib.request

    end, done = time.monotonic() + seconds, 0
    while time.monotonic() < end - 3:
        begin = time.monotonic()
        one = server.begin(f"followed {done}")
        follow = urllib.request.Request(
            f"{server.url}/api/v1/executions/{one}/events", headers={"Authorization": f"Bearer {server.token}"}
        )
        with urllib.request.urlopen(follow, timeout=60) as stream:
            for line in stream:
                if line.startswith(b"event: execution_waiting_for_answers"):
                    server.call("POST", f"/executions/{one}/answers", {"decide_rest": True})
        server.call("GET", f"/executions/{one}")
        done += 1
        time.sleep(max(0.0, begin + 3 - time.monotonic()))
    return done


async def with_events(server: Server, given: argparse.Namespace, *, worker: bool) -> None:
    """The parts that need the database as well as the server."""
    from combine.storage.core.database import Database
    from combine.storage.server.embedded import start_embedded

    database = Database(start_embedded(server.log.parent / "data").url)
    try:
        events = Events(database, "benchmark")
        if given.soak:
            await soak(server, events, given.soak)
        elif worker:
            await streams(server, events, given.seconds)
        else:
            await many_streams(server, events, given.idle)
    finally:
        await database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="seconds per row")
    parser.add_argument("--turns", type=int, default=3, help="number of turns for the reads")
    parser.add_argument("--idle", type=float, default=20, help="seconds that 1,000 streams stay idle")
    parser.add_argument("--soak", type=float, default=0, help="seconds; runs only the soak test")
    given = parser.parse_args()
    print(headline("The HTTP API"))
    print(f"Load average {load_now()} at the beginning; later it includes the load generator.\n")
    with data_folder() as home:
        if not given.soak:
            started(home)
        server = Server(home)
        server.sign_in()
        try:
            if not given.soak:
                reads(server, given.seconds, given.turns)
            asyncio.run(with_events(server, given, worker=True))
        finally:
            server.stop()
        if not given.soak:
            alone = Server(home, "--no-worker")
            alone.sign_in()
            try:
                asyncio.run(with_events(alone, given, worker=False))
            finally:
                alone.stop()


if __name__ == "__main__":
    main()

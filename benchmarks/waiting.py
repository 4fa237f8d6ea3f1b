"""CPU and memory of one worker while 10,000 executions wait for people. Prints a Markdown table."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

from _workers import change, environment, fetch, fresh_database, headline, office, own_server, script, start, worker

COPIES = """
CREATE TEMP TABLE copies ON COMMIT DROP AS
SELECT n, gen_random_uuid() AS project, gen_random_uuid() AS brief, gen_random_uuid() AS execution
FROM generate_series(2, {count}) n
"""
ROWS = {
    "projects": {"id": "c.project", "name": "'waiting-' || c.n"},
    "documents": {"id": "c.brief", "project_id": "c.project", "execution_id": "NULL", "step_id": "NULL"},
    "executions": {"id": "c.execution", "project_id": "c.project", "brief_id": "c.brief"},
    "steps": {"execution_id": "c.execution"},
    "questions": {"execution_id": "c.execution"},
    "events": {"execution_id": "c.execution"},
}


async def multiply(working, count: int) -> None:
    """Copy the one waiting execution with all its rows."""
    statements = [COPIES.format(count=count)]
    for table, own in ROWS.items():
        columns = [
            name
            for (name,) in await fetch(
                working,
                "SELECT column_name FROM information_schema.columns "
                f"WHERE table_schema = 'public' AND table_name = '{table}' AND is_identity = 'NO' "
                "AND is_generated = 'NEVER'",
            )
        ]
        values = [own.get(name, f"t.{name}") for name in columns]
        statements.append(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table} t, copies c"
        )
    columns = [
        name
        for (name,) in await fetch(
            working,
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'dbos' "
            "AND table_name = 'workflow_status' AND is_generated = 'NEVER'",
        )
    ]
    values = ["c.execution || chr(58) || 1" if name == "workflow_uuid" else f"t.{name}" for name in columns]
    statements.append(
        f"INSERT INTO dbos.workflow_status ({', '.join(columns)}) SELECT {', '.join(values)} "
        "FROM dbos.workflow_status t, copies c"
    )
    await change(working, *statements)
    await change(working, "ANALYZE")


async def resumed(working, execution) -> float:
    """Seconds from the answer to the next call of the execution."""
    begin = time.perf_counter()
    await working.executions.answer(str(execution), {"Q-1": "1"})
    query = f"SELECT 1 FROM events WHERE execution_id = '{execution}' AND kind = 'call_started' AND seq > 6"
    while not await fetch(working, query):
        await asyncio.sleep(0.002)
    return time.perf_counter() - begin


async def run(settings: dict[str, str], count: int, idle_s: float) -> None:
    first = worker(settings)
    async with office(settings) as working:
        await start(working, "waiting-1")
        waiting = "SELECT id FROM executions WHERE status = 'waiting_for_answers'"
        while not await fetch(working, waiting):
            await asyncio.sleep(0.05)
        first.stop()
        empty = worker(settings)
        await asyncio.sleep(2)
        empty_mb, empty_ready = empty.rss_mb(), empty.ready_s
        before = empty.cpu_s()
        await asyncio.sleep(idle_s)
        empty_cpu = (empty.cpu_s() - before) / idle_s
        empty.stop()
        await multiply(working, count)
        full = worker(settings)
        await asyncio.sleep(2)
        mb, before = full.rss_mb(), full.cpu_s()
        await asyncio.sleep(idle_s)
        cpu = (full.cpu_s() - before) / idle_s
        ids = [row.id for row in await fetch(working, f"{waiting} ORDER BY random() LIMIT 20")]
        times = [await resumed(working, execution) for execution in ids]
        full.stop()
    print("| executions waiting | start until ready s | idle CPU % of a core | RSS MB |\n| ---: | ---: | ---: | ---: |")
    print(f"| 1 | {empty_ready:.2f} | {100 * empty_cpu:.1f} | {empty_mb:.0f} |")
    print(f"| {count} | {full.ready_s:.2f} | {100 * cpu:.1f} | {mb:.0f} |\n")
    print(f"From an answer to the next call, {len(times)} executions one after the other: ", end="")
    print(f"median {1000 * statistics.median(times):.0f} ms, maximum {1000 * max(times):.0f} ms.\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=10_000)
    parser.add_argument("--idle", type=float, default=20.0, help="seconds over which the idle CPU is measured")
    given = parser.parse_args()
    print(headline("Waiting"))
    with own_server() as home:
        url = fresh_database(home, "waiting")
        asyncio.run(run(environment(url, script(home.parent, ask=True)), given.n, given.idle))


if __name__ == "__main__":
    main()

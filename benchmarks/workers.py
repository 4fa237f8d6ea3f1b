"""Throughput of 1, 2 and 4 workers on one PostgreSQL, and what a step writes. Prints a Markdown table."""

from __future__ import annotations

import argparse
import asyncio
import time

from _workers import environment, fetch, fresh_database, headline, office, own_server, script, start, worker

STEPS = 4
WRITTEN = (
    "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS wal, "
    "(SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()) AS commits"
)


async def throughput(settings: dict[str, str], workers: int, executions: int) -> tuple[float, float, float]:
    """Wall seconds, and commits and WAL bytes per step."""
    warm = worker(settings)
    async with office(settings) as working:
        await start(working, "warm-up")
        done = "SELECT count(*) FILTER (WHERE status = 'completed') AS done, count(*) AS all FROM executions"
        while (await fetch(working, done))[0].done < 1:
            await asyncio.sleep(0.05)
        warm.stop()
        crew = [worker(settings) for _ in range(workers)]
        await asyncio.sleep(2)
        before, begin = (await fetch(working, WRITTEN))[0], time.perf_counter()
        await asyncio.gather(*(start(working, f"execution-{number}") for number in range(executions)))
        while (await fetch(working, done))[0].done < executions + 1:
            await asyncio.sleep(0.1)
        wall = time.perf_counter() - begin
        await asyncio.sleep(1.5)  # the server's counters lag by a second
        after = (await fetch(working, WRITTEN))[0]
        for one in crew:
            one.stop()
    steps = executions * STEPS
    return wall, (after.commits - before.commits) / steps, float(after.wal - before.wal) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=200, help="executions at once")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    given = parser.parse_args()
    print(headline("Workers"))
    print(f"{given.n} executions of {STEPS} steps at once, started by one process and run by others; 64 per worker\n")
    print(
        "| a call takes | workers | wall s | executions/s | steps/s | commits/step | WAL KB/step |\n"
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    with own_server() as home:
        for delay_s in (0.0, 2.0):
            for workers in given.workers:
                url = fresh_database(home, f"workers_{workers}_{delay_s:.0f}")
                settings = environment(url, script(home.parent, delay_s=delay_s))
                wall, commits, wal = asyncio.run(throughput(settings, workers, given.n))
                rate = given.n / wall
                print(
                    f"| {delay_s:g} s | {workers} | {wall:.1f} | {rate:.1f} | {STEPS * rate:.0f} "
                    f"| {commits:.1f} | {wal / 1024:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()

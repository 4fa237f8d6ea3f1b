"""Time from kill -9 of a worker until another one makes the first call for its work. Prints a Markdown table."""

from __future__ import annotations

import argparse
import asyncio
import time

from _workers import change, environment, fetch, fresh_database, headline, office, own_server, script, start, worker

STARTED = "SELECT count(*) AS calls FROM events WHERE kind = 'call_started'"
EXECUTIONS = 8


async def takeover(settings: dict[str, str], *, elsewhere: bool) -> tuple[float, float]:
    """Seconds from the kill to the first new call, and to the last one."""
    victim = worker(settings)
    async with office(settings) as working:
        for number in range(EXECUTIONS):
            await start(working, f"takeover-{number}")
        while (await fetch(working, STARTED))[0].calls < EXECUTIONS:
            await asyncio.sleep(0.01)
        if elsewhere:  # then its PID cannot be checked, and only its missing heartbeat shows
            await change(working, "UPDATE executors SET host = 'elsewhere'")
        survivor = worker(settings)
        await asyncio.sleep(3)
        victim.kill()
        begin, times = time.perf_counter(), []
        while len(times) < EXECUTIONS:
            calls = (await fetch(working, STARTED))[0].calls - EXECUTIONS
            times += [time.perf_counter() - begin] * (calls - len(times))
            await asyncio.sleep(0.005)
        survivor.kill()
    return times[0], times[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    print(headline("Takeover"))
    print(f"{EXECUTIONS} executions with a call in flight; seconds from kill -9 to the calls of the surviving worker\n")
    print("| dead process | first call | all calls |\n| --- | ---: | ---: |")
    with own_server() as home:
        for elsewhere in (False, True):
            for turn in range(1 if elsewhere else given.repeat):
                url = fresh_database(home, f"takeover_{int(elsewhere)}_{turn}")
                settings = environment(url, script(home.parent, delay_s=600.0))
                first, last = asyncio.run(takeover(settings, elsewhere=elsewhere))
                print(f"| {'elsewhere' if elsewhere else 'this machine'} | {first:.2f} | {last:.2f} |", flush=True)


if __name__ == "__main__":
    main()

"""Puts a running server under load, prints response times, and checks them against thresholds.

The users are readers, people who start executions (offline, no model), people who answer questions, and watchers of
live events; locust runs them. Requires a token with the scope run in COMBINE_TOKEN. Creates projects and executions and
does not delete them: use a server whose data does not matter.

Exit codes: 0 passed, 1 a threshold was missed or something failed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from load_users import LoadTest, Stage

ROOT: Final = Path(__file__).resolve().parents[1]
PINS: Final = "requirements/dev.txt"
WRONG_USE: Final = 2
MOST_S: Final = 3600
EXECUTION: Final = "/api/v1/executions/{id}"
BRIEFS: Final = ("bicycle-workshop.md", "food-bank-deliveries.md")
"""One without open questions, and one about which the offline drafter asks."""
SETTLE_S: Final = 20.0
READ_CONNECTIONS: Final = 64
USERS_PER_SECOND: Final = 25
USUAL_LIMIT: Final = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    route: str
    requests: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of one process of the server, in MB."""

    pid: int
    name: str
    before: float
    halfway: float
    most: float
    after: float


@dataclass(frozen=True, slots=True)
class Mark:
    """One threshold."""

    what: str
    measured: float
    mark: float
    met: bool


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is printed."""

    url: str
    version: str
    seconds: float
    load_average: tuple[float, float]
    """Of this machine, before and after the test."""
    rows: Sequence[Row]
    streams: dict[str, int]
    memory: Sequence[Memory]
    errors: dict[str, int]
    marks: Sequence[Mark]

    @property
    def passed(self) -> bool:
        """Whether every threshold is met."""
        return all(mark.met for mark in self.marks)


def arguments() -> argparse.Namespace:
    """Parse the command line. Exits with 2 if it is invalid."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--url", default="http://127.0.0.1:8765", help="URL of the server (%(default)s)")
    add("--duration", type=float, default=60, metavar="S", help="seconds, after all users have started (%(default)s)")
    add("--rate", type=float, default=50, help="reads per second, at a constant rate (%(default)s)")
    add("--watchers", type=int, default=50, help="number of event streams (%(default)s)")
    add("--starts", type=float, default=8, help="executions without questions per minute (%(default)s)")
    add("--answers", type=float, default=12, help="executions with questions per minute (%(default)s)")
    add("--hold", type=float, default=10, metavar="S", help="seconds until questions are answered (%(default)s)")
    add("--mark-read", type=float, default=25, metavar="MS", help=f"threshold for p99 of GET {EXECUTION} (%(default)s)")
    add(
        "--mark-events",
        type=float,
        default=250,
        metavar="MS",
        help="threshold for p99 of events, commit to client (%(default)s)",
    )
    add(
        "--mark-growth",
        type=float,
        default=10,
        metavar="MB",
        help="threshold for memory growth in the second half (%(default)s)",
    )
    add(
        "--mark-memory",
        type=float,
        metavar="MB",
        help="threshold for memory before the load, for a server that was just started (none)",
    )
    add("--pid", type=int, help="process ID of the server; by default found by its port, if on this machine")
    add("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    given.url = given.url.rstrip("/")
    if not 1 <= given.duration <= MOST_S:
        parser.error(f"--duration must be from 1 to {MOST_S} seconds")
    if min(given.rate, given.starts, given.answers) <= 0 or given.watchers < 0:
        parser.error("--rate, --starts and --answers must be greater than 0, --watchers must not be negative")
    if 2 * given.starts + given.answers > USUAL_LIMIT:
        print(
            "Each start is sent twice. Above 60 per minute, raise COMBINE_RATE_LIMIT_STARTS on the server.",
            file=sys.stderr,
        )
    return given


def stop(message: str) -> NoReturn:
    """Exit with the message, for wrong usage."""
    print(message, file=sys.stderr)
    raise SystemExit(WRONG_USE)


class RequestFailed(Exception):
    """The server does not respond, or returns an error."""


class Api:
    """The requests that the test makes before it begins and at its end. Raises RequestFailed."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of the response."""
        from urllib.error import HTTPError, URLError  # noqa: PLC0415 - they load ssl, and gevent must be loaded before that
        from urllib.request import Request, urlopen  # noqa: PLC0415 - as above

        request = Request(  # noqa: S310 - http or https, as given by the user
            self._url + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                return json.load(answer)
        except HTTPError as error:
            raise RequestFailed(f"{method} {path}: {error.code} {error.read().decode('utf-8', 'replace')}") from None
        except (URLError, OSError, ValueError) as error:
            raise RequestFailed(f"{method} {self._url}{path}: {getattr(error, 'reason', error)}") from None

    def start(self, project: str, brief: str, *, ask: bool) -> str:
        """Start an offline execution; returns its ID."""
        body = {"project_id": project, "brief": brief, "model": "offline", "ask": ask}
        return str(self("POST", "/api/v1/executions", body)["execution"]["id"])

    def reach(self, execution: str, status: str) -> Any:
        """Wait up to a minute until the execution has this status, and return it."""
        deadline = time.monotonic() + 60
        while (found := self("GET", f"/api/v1/executions/{execution}"))["execution"]["status"] != status:
            if time.monotonic() > deadline:
                raise RequestFailed(f"Execution {execution} is not {status} after a minute. Is a worker running?")
            time.sleep(0.2)
        return found


def is_this_machine(url: str) -> bool:
    """Whether the server is reached over the loopback interface."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - as in Api

    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def set_up(api: Api, given: argparse.Namespace) -> Stage:
    """Create projects, and executions to read and to watch."""
    from load_users import Pace, Stage  # noqa: PLC0415 - loads locust

    plain, asking = ((ROOT / "examples" / name).read_text(encoding="utf-8") for name in BRIEFS)
    run = f"load test {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} {os.getpid()}"
    # One project per user who starts executions: within a project, concurrent ones may use the same numbers twice.
    users = sum(user_counts(given)[name] for name in ("starters", "answerers"))
    projects = [api("POST", "/api/v1/projects", {"name": f"{run} {n}"})["id"] for n in range(users + 4)]
    held = [api.start(project, asking, ask=True) for project in projects[-2:]]
    completed = [api.start(project, plain, ask=False) for project in projects[-4:-2]]
    documents = [one["id"] for execution in completed for one in api.reach(execution, "completed")["documents"]]
    for execution in held:
        api.reach(execution, "waiting_for_answers")
    return Stage(
        url=given.url,
        token=os.environ["COMBINE_TOKEN"],
        reads=Pace(given.rate),
        starts=Pace(given.starts / 60),
        answers=Pace(given.answers / 60),
        hold_s=given.hold,
        brief=plain,
        brief_with_questions=asking,
        projects=projects[:users],
        completed=completed,
        documents=documents,
        held=held,
        same_clock=is_this_machine(given.url),
    )


def user_counts(given: argparse.Namespace) -> dict[str, int]:
    """How many users of each kind are needed, if a response takes a second and an execution ten."""
    return {
        "readers": min(READ_CONNECTIONS, max(4, int(given.rate))),
        "starters": max(1, round(given.starts * 10 / 60) + 1),
        "answerers": max(1, round(given.answers * (given.hold + 10) / 60) + 1),
        "watchers": given.watchers,
    }


def run_load(api: Api, stage: Stage, given: argparse.Namespace, watch: MemoryWatch) -> tuple[LoadTest, float]:
    """The test itself, including its end; returns the seconds it took."""
    import gevent  # noqa: PLC0415 - comes with locust
    from load_users import LoadTest  # noqa: PLC0415 - loads locust

    users = user_counts(given)
    test = LoadTest(stage, users)
    runner = test.create_local_runner()
    watching = gevent.spawn(watch.run)
    runner.start(sum(users.values()), spawn_rate=USERS_PER_SECOND)
    runner.spawning_greenlet.join()
    errors = test.stats.errors  # errors of the beginning count, its response times do not
    test.stats.reset_all()
    test.stats.errors = errors
    stage.latencies_ms.clear()
    begin = time.monotonic()
    gevent.sleep(given.duration)
    seconds = time.monotonic() - begin
    stage.closing = True
    for execution in stage.held:
        try:
            api("POST", f"/api/v1/executions/{execution}/answers", {"decide_rest": True})
        except RequestFailed as error:
            test.stats.log_error("", "the end", str(error))
    with gevent.Timeout(SETTLE_S + given.hold, exception=False):
        while runner.user_count:
            gevent.sleep(0.2)
    if left := {name: number for name, number in runner.user_classes_count.items() if number}:
        said = ", ".join(f"{number} {name}" for name, number in left.items())
        test.stats.log_error("", "the end", f"did not finish: {said}")
    watching.kill()
    runner.quit()
    return test, seconds


class MemoryWatch:
    """Resident memory of the server's processes, if they run on this machine."""

    def __init__(self, given: argparse.Namespace) -> None:
        import psutil  # noqa: PLC0415 - comes with locust, and gevent must be loaded first

        self._gone = psutil.NoSuchProcess
        self._processes: list[psutil.Process] = []
        pid = given.pid if given.pid is not None else _listening(given.url)
        if pid is not None:
            try:
                server = psutil.Process(pid)
                self._processes = [server, *server.children(recursive=True)]
            except psutil.NoSuchProcess:
                stop(f"There is no process {pid}.")
        self._seen = [self._now()]

    def run(self) -> None:
        """Measure every second, forever."""
        while True:
            time.sleep(1)
            self._seen.append(self._now())

    def result(self) -> list[Memory]:
        """A line for each process that is still running."""
        self._seen.append(self._now())
        return [
            Memory(
                pid=one.pid,
                name=_title(one.cmdline()),
                before=self._seen[0][one.pid],
                halfway=self._seen[len(self._seen) // 2].get(one.pid, 0.0),
                most=max(seen.get(one.pid, 0.0) for seen in self._seen),
                after=self._seen[-1][one.pid],
            )
            for one in self._processes
            if one.pid in self._seen[-1]
        ]

    def _now(self) -> dict[int, float]:
        found = {}
        for one in self._processes:
            with suppress(self._gone):
                found[one.pid] = one.memory_info().rss / 2**20
        return found


def _title(command: Sequence[str]) -> str:
    return next((word for word in command if word in {"serve", "worker"}), Path(command[0]).name if command else "?")


def _listening(url: str) -> int | None:
    """The process that listens on the URL's port, if it runs on this machine and is visible."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - as in Api

    import psutil  # noqa: PLC0415 - as above

    if not is_this_machine(url):
        return None
    port = urlsplit(url).port
    for process in psutil.process_iter():
        try:
            for one in process.net_connections(kind="tcp"):
                if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port:
                    return int(process.pid)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return None


def rows_of(test: LoadTest, seconds: float) -> Iterator[Row]:
    """A line for each route, and one for events."""
    for entry in sorted(test.stats.entries.values(), key=lambda one: (one.name, one.method)):
        if entry.num_requests:
            p50, p95, p99 = (float(entry.get_response_time_percentile(part)) for part in (0.5, 0.95, 0.99))
            route = f"{entry.method} {entry.name}".strip()
            yield Row(route, entry.num_requests, entry.num_requests / seconds, p50, p95, p99, entry.num_failures)
    stage = test.stage
    if ms := sorted(stage.latencies_ms):
        p50, p95, p99 = (ms[min(len(ms) - 1, int(len(ms) * part))] for part in (0.5, 0.95, 0.99))
        yield Row("event, commit to client", len(ms), len(ms) / seconds, p50, p95, p99, stage.gaps + stage.repeats)


def marks_of(
    given: argparse.Namespace, rows: Sequence[Row], memory: Sequence[Memory], test: LoadTest, errors: dict[str, int]
) -> Iterator[Mark]:
    """The thresholds. One that could not be measured is left out, except that of reads."""
    stage = test.stage
    p99 = {row.route: row.p99_ms for row in rows}
    read = p99.get(f"GET {EXECUTION}", float("inf"))
    yield Mark(f"p99 of GET {EXECUTION}, ms", read, given.mark_read, read < given.mark_read)
    if stage.same_clock and given.watchers:
        event = p99.get("event, commit to client", float("inf"))
        yield Mark("p99 of events, commit to client, ms", event, given.mark_events, event < given.mark_events)
    if memory:
        grown = sum(one.after - one.halfway for one in memory)
        yield Mark("memory growth in the second half, MB", grown, given.mark_growth, grown < given.mark_growth)
    if given.mark_memory is not None:
        before = sum(one.before for one in memory)
        yield Mark("memory before the load, MB", before, given.mark_memory, 0 < before < given.mark_memory)
    for what, found in (("gaps in event numbers", stage.gaps), ("repeated events", stage.repeats)):
        yield Mark(what, found, 0, found == 0)
    wrong = sum(errors.values())
    yield Mark("errors", wrong, 0, wrong == 0)


def report_of(given: argparse.Namespace) -> Report:
    """Run the whole test. Raises RequestFailed before the load begins."""
    # Before anything loads ssl, because it replaces sockets by those of gevent.
    import locust.stats  # noqa: PLC0415 - as it says

    locust.stats.STATS_AUTORESIZE = False
    api = Api(given.url, os.environ["COMBINE_TOKEN"])
    version = str(api("GET", "/version")["version"])
    api("GET", "/api/v1/me")
    watch = MemoryWatch(given)
    stage = set_up(api, given)
    before = os.getloadavg()[0]
    test, seconds = run_load(api, stage, given, watch)
    rows, memory = list(rows_of(test, seconds)), watch.result()
    errors = {
        " ".join(f"{one.method} {one.name}: {one.error}".split()): one.occurrences for one in test.stats.errors.values()
    }
    errors |= {f"in the test itself: {one['msg']}": one["count"] for one in test.runner.exceptions.values()}
    streams = {
        "open at once": stage.most_streams,
        "events": stage.received,
        "resumed by Last-Event-ID": stage.resumed,
        "followed to the end": stage.ended,
        "gaps": stage.gaps,
        "repeats": stage.repeats,
    }
    return Report(
        url=given.url,
        version=version,
        seconds=seconds,
        load_average=(before, os.getloadavg()[0]),
        rows=rows,
        streams=streams,
        memory=memory,
        errors=errors,
        marks=list(marks_of(given, rows, memory, test, errors)),
    )


def lines(report: Report) -> Iterator[str]:
    """The report as text."""
    before, after = report.load_average
    yield f"The Combine {report.version} at {report.url}, {report.seconds:.0f} s."
    yield f"Load average of this machine {before:.2f} before, {after:.2f} after, including this test.\n"
    width = max((len(row.route) for row in report.rows), default=5)
    yield f"{'':{width}}  requests    per s   p50 ms   p95 ms   p99 ms   errors"
    for row in report.rows:
        figures = f"{row.requests:>8} {row.per_second:>8.1f} {row.p50_ms:>8.0f} {row.p95_ms:>8.0f} {row.p99_ms:>8.0f}"
        yield f"{row.route:{width}}  {figures} {row.errors:>8}"
    yield "\nStreams: " + ", ".join(f"{name} {number}" for name, number in report.streams.items())
    for one in report.memory:
        sizes = f"{one.before:.0f} MB before, {one.halfway:.0f} halfway, {one.most:.0f} at most, {one.after:.0f} after"
        yield f"Memory of {one.name} ({one.pid}): {sizes}"
    for error, number in report.errors.items():
        yield f"Error, {number} times: {error}"
    yield "\nThresholds:"
    for mark in report.marks:
        bound = f"below {mark.mark:g}" if mark.mark else "none"
        yield f"  {'met   ' if mark.met else 'MISSED'}  {mark.what}: {mark.measured:.4g} ({bound})"
    yield "Passed." if report.passed else "Not passed."


def main() -> int:
    """Run the test; returns 0 if it passed, 1 if a threshold was missed."""
    given = arguments()
    if importlib.util.find_spec("locust") is None:
        stop(f"The load test requires locust. Run `make load`, or:  pip install --require-hashes -r {PINS}")
    if not os.environ.get("COMBINE_TOKEN"):
        stop("COMBINE_TOKEN is not set. Create a token with `combine tokens create NAME --scope run`.")
    try:
        report = report_of(given)
    except RequestFailed as error:
        stop(str(error))
    if given.json:
        print(json.dumps({**asdict(report), "passed": report.passed}, indent=2))
    else:
        print("\n".join(lines(report)))
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())

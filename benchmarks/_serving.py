"""A `combine serve` for a benchmark: new database, offline, with a token; and its CPU and memory from the kernel."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

from _workers import COMBINE, ROOT, TICKS

HERE = Path(__file__).parent
PAGE = os.sysconf("SC_PAGE_SIZE")
_MAPPING = re.compile("[0-9a-f]+-[0-9a-f]+ ")
_LINK = re.compile(r"Sign in.*?(http://\S+)/login/local\?key=(\S+)")


class Process:
    """CPU and memory of a process and its current children, from the kernel."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def children(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def stop(self) -> None:
        """Send SIGTERM and wait for the end."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def cpu_s(pid: int) -> float:
    """User and system time so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int) -> float:
    """Resident memory of the process and its children."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 2**20


def together_mb(pids: Sequence[int]) -> float:
    """Resident memory of all of them; a page of a file counts once, however many processes have it mapped."""
    own, of_files = 0, dict[tuple[str, str], int]()
    for pid in pids:
        for where, sizes in _mappings(pid):
            own += sizes["Anonymous"]
            of_files[where] = max(of_files.get(where, 0), sizes["Rss"] - sizes["Anonymous"])
    return (own + sum(of_files.values())) / 1024


def _mappings(pid: int) -> Iterator[tuple[tuple[str, str], dict[str, int]]]:
    """For each mapping: the file with its offset, and the sizes in KB."""
    where, sizes = ("", ""), dict[str, int]()
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if _MAPPING.match(line):
            if sizes:
                yield where, sizes
            _, _, offset, _, _, *path = line.split(maxsplit=5)
            where, sizes = (path[0] if path else "", offset), {}
        elif line.endswith(" kB"):
            name, _, size = line.partition(":")
            sizes[name] = int(size.split()[0])
    yield where, sizes


class Busy:
    """CPU in percent of a core from now on: of the server, its database, and everything else but the benchmark."""

    def __init__(self, pid: int, home: Path) -> None:
        self._pid = pid
        self._postmaster = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
        self._before = self._now()

    def until_now(self, load_s: float) -> tuple[float, float, float]:
        """``load_s``: CPU seconds of the load generator, which belongs to the benchmark."""
        then, now = self._before, self._now()
        wall, server, database, all_ = (after - before for before, after in zip(then, now, strict=True))
        return 100 * server / wall, 100 * database / wall, max(0.0, 100 * (all_ - server - database - load_s) / wall)

    def _now(self) -> tuple[float, float, float, float]:
        own = [self._postmaster]
        own += map(int, Path(f"/proc/{self._postmaster}/task/{self._postmaster}/children").read_text().split())
        user, nice, system, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
        us = sum(os.times()[:2])
        database = sum(map(cpu_s, own))
        return time.perf_counter(), cpu_s(self._pid), database, (user + nice + system) / TICKS - us


class Server(Process):
    """A running `combine serve`."""

    def __init__(self, home: Path, *options: str, **settings: str) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("COMBINE_", "ANTHROPIC_"))}
        own |= {"COMBINE_DATA_DIR": str(home), "COMBINE_LLM_DEFAULT_MODEL": "offline", **settings}
        self.log = home.parent / "serve.log"
        begin = time.perf_counter()
        with self.log.open("w") as log:
            command = [COMBINE, "serve", "--port", "0", *options]
            super().__init__(
                subprocess.Popen(command, env=own, stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True)
            )
        self.worker_ready_s: float | None = None
        link = self._line(_LINK)
        self.url, self._key = link[1], link[2]
        while not self._is_ready():
            time.sleep(0.005)
        self.ready_s = time.perf_counter() - begin
        if "--no-worker" not in options:
            self._line(re.compile("Worker ready"))
            self.worker_ready_s = time.perf_counter() - begin
        self.token = os.environ["COMBINE_TOKEN"] = ""

    def _line(self, wanted: re.Pattern[str]) -> re.Match[str]:
        while (found := wanted.search(self.log.read_text())) is None:
            if self.process.poll() is not None:
                sys.exit(f"the server did not start:\n{self.log.read_text()}")
            time.sleep(0.005)
        return found

    def _is_ready(self) -> bool:
        try:
            return bool(urllib.request.urlopen(f"{self.url}/health/ready", timeout=5).status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def sign_in(self) -> None:
        """Create a token, with the sign-in link that the server printed."""
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        browser.open(f"{self.url}/login/local?key={self._key}").close()
        body = json.dumps({"name": "benchmark", "scope": "admin"}).encode()
        headers = {"Content-Type": "application/json"}
        with browser.open(urllib.request.Request(f"{self.url}/api/v1/tokens", body, headers)) as answer:
            self.token = os.environ["COMBINE_TOKEN"] = json.load(answer)["secret"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the API."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def begin(self, project: str) -> str:
        """Start an execution of an example brief with questions, in a new project; returns its ID."""
        project_id = self.call("POST", "/projects", {"name": project})["id"]
        brief = (ROOT / "examples" / "food-bank-deliveries.md").read_text(encoding="utf-8")
        body = {"project_id": project_id, "brief": brief}
        return str(self.call("POST", "/executions", body)["execution"]["id"])

    def complete(self, count: int) -> list[str]:
        """Complete that many such executions; returns their IDs."""
        ids = [self.begin(f"completed {number}") for number in range(count)]
        for one in ids:
            self.reach(one, "waiting_for_answers")
            self.call("POST", f"/executions/{one}/answers", {"decide_rest": True})
        for one in ids:
            self.reach(one, "completed")
        return ids

    def reach(self, execution: str, status: str) -> None:
        """Wait until the execution has this status."""
        deadline = time.monotonic() + 60
        while (found := self.call("GET", f"/executions/{execution}")["execution"])["status"] != status:
            if time.monotonic() > deadline:
                sys.exit(f"the execution is {found['status']}, not {status}: {found['reason']}")
            time.sleep(0.05)


class Load:
    """`_http_load.py` in a separate process."""

    def __init__(self, kind: str, url: str, paths: Sequence[str], *options: object) -> None:
        command = [sys.executable, HERE / "_http_load.py", kind, url, *paths, *map(str, options)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.kind = kind

    def wait_until_open(self) -> None:
        """Wait until all streams are open."""
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "open\n":
            sys.exit("the streams could not be opened")

    def end(self) -> Any:
        """End it and return its result."""
        out, _ = self.process.communicate()
        if self.process.returncode:
            sys.exit(f"{self.kind}: the load generator failed")
        return json.loads(out.splitlines()[-1])


@contextmanager
def bare_app(database_url: str, size: int) -> Iterator[tuple[Process, str]]:
    """`_bare_app.py` in a separate process, and its URL."""
    command = [sys.executable, HERE / "_bare_app.py", database_url, str(size)]
    process = Process(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    assert process.process.stdout is not None
    try:
        yield process, process.process.stdout.readline().strip()
    finally:
        process.stop()
        process.process.stdout.close()


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value that the fraction ``part`` of the values does not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("nan")

"""Processes that work, and that kill themselves at an exact moment. Nothing of this is in the program itself.

Run as a program it loads everything once and then forks a worker for each line of JSON on its standard input (a
``Wish``) and answers with its pid; a line that is a number asks for that pid's exit code, -9 if it was killed. The dead
are buried at once, as their pid must be gone for the living to know. The worker is the program's own, with
``Database.transact`` and ``once`` wrapped: a commit is known by the function that did its work.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

# What every worker needs is loaded once, before the forks.
import anthropic  # noqa: F401
import counting_llm
import sqlalchemy as sa

import combine.bootstrap
import combine.engine.engine
import combine.execution.runner
from combine.bootstrap import open_working
from combine.brief.reading import split_brief
from combine.llm.factory import ProviderFactory
from combine.services.commands import StartExecution
from combine.settings import read_settings
from combine.storage.core.database import Database

COMMITS = {
    "start": "ExecutionService.start.<locals>.<lambda>",
    "begin": "SegmentJournal.begin.<locals>.<lambda>",
    "open_call": "StepJournal._reserve.<locals>.<lambda>",
    "close_call": "KeptReplies._close.<locals>.work",
    "save_questions": "StepJournal.save_questions.<locals>.work",
    "record_findings": "StepJournal.record_findings.<locals>.work",
    "save_document": "StepJournal.save_document.<locals>.save",
    "save_review": "StepJournal.save_document.<locals>.save_with_consequences",
    "end": "SegmentJournal.end.<locals>.work",
    "hand_over": "SegmentJournal.end.<locals>.work",
    "recover": "recover",
}
"""Name of a commit -> the function that does its work."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What one worker is to do. Without a point it works until every execution has ended."""

    url: str
    markers: list[str]
    """Executions to be started if they are not there."""
    environment: dict[str, str] = field(default_factory=dict)
    point: str | None = None
    when: str = "before"
    """``before`` its commit, ``after`` it and before anybody has seen that; of a call also ``during``."""
    nth: int = 1
    stay: bool = False
    """Until SIGTERM, as ``combine worker``."""
    only_start: bool = False
    """Start the executions and work on none."""
    name: str = "worker"
    version: str | None = None
    """What the program takes for its own version; None: its real one."""

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


class Trap:
    """Kills this process when the n-th commit of its kind is reached."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._seen = 0
        self.draining = False

    def spring(self, when: str) -> None:
        """Die if it is time."""
        if when == self._wish.when and (self._wish.point != "hand_over" or self.draining):
            self._seen += 1
            if self._seen == self._wish.nth:
                die()

    def guards(self, work: Any) -> bool:
        return bool(work.__qualname__ == COMMITS.get(self._wish.point or ""))


def arm(trap: Trap) -> None:
    """Put the trap around the commits and the calls of this process."""
    whole, single, provider_of = Database.transact, Database.once, ProviderFactory.provider

    async def transact(self, work, **options):
        if not trap.guards(work):
            return await whole(self, work, **options)

        async def guarded(session):
            result = await work(session)
            trap.spring("before")
            return result

        result = await whole(self, guarded, **options)
        trap.spring("after")
        return result

    async def once(self, work, **options):
        if not trap.guards(work):
            return await single(self, work, **options)
        trap.spring("before")  # its one statement is its commit
        result = await single(self, work, **options)
        trap.spring("after")
        return result

    def provider(self, ref):
        return _Caller(provider_of(self, ref), trap)

    Database.transact, Database.once = transact, once
    if trap._wish.point == "call":
        ProviderFactory.provider = provider


class _Caller:
    """A provider in a trap."""

    def __init__(self, provider: Any, trap: Trap) -> None:
        self._provider, self._trap = provider, trap
        self.name = provider.name

    async def complete(self, request, on_progress=None):
        self._trap.spring("before")

        def progress(seen):
            self._trap.spring("during")
            if on_progress is not None:
                on_progress(seen)

        reply = await self._provider.complete(request, progress)
        self._trap.spring("after")
        return reply


async def work(wish: Wish, trap: Trap) -> None:
    """As ``combine worker``, until everything has ended, or the trap springs."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with open_working(read_settings(), print, kind="worker", shared=True, start=not wish.only_start) as working:
        for marker in wish.markers:
            async with working.database.read() as session:
                known = await session.connection.execute(
                    sa.text("SELECT 1 FROM projects WHERE name = :name"), {"name": marker}
                )
                if known.first() is not None:
                    continue
            await working.executions.start(
                StartExecution(
                    brief=split_brief(counting_llm.brief(marker)),
                    workflow_id="strategy-document",
                    project=marker,
                    model=counting_llm.MODEL,
                    answers=counting_llm.ANSWERS,
                )
            )
        if wish.only_start:
            return
        if wish.stay:
            await told.wait()
            return
        query = sa.text(
            "SELECT count(*) FILTER (WHERE status IN ('queued', 'running')), "
            "(SELECT count(*) FROM llm_calls WHERE state = 'replied') FROM executions"
        )
        at_first = None
        while True:
            async with working.database.read() as session:
                under_way, replied = (await session.connection.execute(query)).one()
            at_first = replied if at_first is None else at_first
            if not under_way:
                return
            if wish.point == "hand_over" and replied > at_first:
                trap.draining = True
                return
            await asyncio.sleep(0.02)


def run_worker(wish: Wish) -> NoReturn:
    """In the forked process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.alarm(1200 if wish.stay else 300)
    os.dup2(2, 1)
    logging.disable(logging.WARNING)  # DBOS says much about a database that is away
    os.environ.update(wish.environment)
    os.environ["COMBINE_DATABASE_URL"] = wish.url
    if wish.version is not None:
        combine.bootstrap.__version__ = wish.version
    trap = Trap(wish)
    if wish.point is not None:
        arm(trap)
    try:
        asyncio.run(work(wish, trap))
    except BaseException:  # noqa: BLE001 - whatever it is, the fork must not go on as its parent
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


class Crew:
    """The forked processes, and how they have ended."""

    def __init__(self) -> None:
        self._codes: dict[int, int | None] = {}
        signal.signal(signal.SIGCHLD, self._bury)

    def fork(self, wish: Wish) -> int:
        pid = os.fork()
        if pid == 0:
            run_worker(wish)
        self._codes[pid] = None
        self._bury()
        return pid

    def code(self, pid: int) -> int:
        """Wait for its end."""
        while (code := self._codes[pid]) is None:
            time.sleep(0.005)
        return code

    def _bury(self, *_: object) -> None:
        for pid in [pid for pid, code in self._codes.items() if code is None]:
            with suppress(ChildProcessError):  # the next signal has come in the middle of this, and buried it
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    self._codes[pid] = os.waitstatus_to_exitcode(status)


def main() -> None:
    crew = Crew()
    with suppress(KeyboardInterrupt):
        for line in sys.stdin:
            said = json.loads(line)
            answer = crew.code(said) if isinstance(said, int) else crew.fork(Wish(**said))
            sys.stdout.write(f"{answer}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

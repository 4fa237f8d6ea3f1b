"""Runs a command: settings, logging, output, signals and the exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, Final, NoReturn

import typer

from combine.cli.exit_codes import ExitCode
from combine.cli.options import SERVER
from combine.observability.logging import configure_logging
from combine.settings import Settings, read_settings, unknown_setting, unknown_variables

DEBUG: Final = ContextVar("debug", default=False)
"""Whether --debug was given."""

_HAS_NEXT_STEP: Final = frozenset({ExitCode.WAITING_FOR_PERSON, ExitCode.BUDGET, ExitCode.QA_LIMIT, ExitCode.PROVIDER})
"""With these exit codes a command has suggested the next one."""

Work = Coroutine[Any, Any, int]


def say(text: str = "") -> None:
    """Print a message for the user to stderr."""
    typer.echo(text, err=True)


def put(text: str) -> None:
    """Print the result to stdout."""
    typer.echo(text)


def prepare(*, log_level: str | None = None, warn: bool = True) -> Settings:
    """Read the settings and set up logging. Raises Invalid that lists every error in the settings.

    ``warn``: warn about environment variables that look like settings but are unknown.
    """
    settings = read_settings()
    if warn:
        for name, near in unknown_variables(os.environ).items():
            say(f"Warning: {unknown_setting(name, near)}")
    if (named := SERVER.get()) is not None:
        settings = settings.model_copy(update={"server": named or None})
    debug = DEBUG.get()
    configure_logging(
        settings.log_format,
        "debug" if debug else log_level or settings.log_level,
        tracebacks=debug,
        secrets=settings.secret_texts(),
    )
    return settings


def is_terminal() -> bool:
    """Whether the user can be prompted."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def execute(work: Work) -> NoReturn:
    """Run ``work`` and exit with its code. The first Ctrl-C or SIGTERM cancels it, the second ends the process."""
    code = asyncio.run(_guarded(work))
    if (server := SERVER.get()) and code in _HAS_NEXT_STEP:
        say(f"Use --server {server} (or COMBINE_SERVER) for that command too.")
    raise typer.Exit(code)


async def _guarded(work: Work) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work)
    stop = _stopper(task)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        return ExitCode.OTHER


def _stopper(task: asyncio.Task[int]) -> Callable[[], None]:
    def stop() -> None:
        if task.cancelling():
            say("Stopped. Finished work is saved; a call in flight is recorded with an unknown outcome.")
            os._exit(ExitCode.OTHER)
        task.cancel()

    return stop

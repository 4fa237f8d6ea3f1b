"""Runs what a command does: settings, logs, signals, and the way out."""

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
from combine.settings import Settings, read_settings, told_unknown, unknown_variables

DEBUG: Final = ContextVar("debug", default=False)
"""Whether the person asked for tracebacks."""

_GOES_ON: Final = frozenset({ExitCode.WAITING_FOR_PERSON, ExitCode.BUDGET, ExitCode.QA_LIMIT, ExitCode.PROVIDER})
"""With these a command has said which one comes next."""

Work = Coroutine[Any, Any, int]


def say(text: str = "") -> None:
    """To the person, beside the result: on stderr."""
    typer.echo(text, err=True)


def put(text: str) -> None:
    """The result: on stdout."""
    typer.echo(text)


def prepare(*, log_level: str | None = None, warn: bool = True) -> Settings:
    """The settings, with logs set up by them. Raises Invalid with every fault of the settings.

    ``warn``: say which variables look like settings and are none.
    """
    settings = read_settings()
    if warn and (unknown := unknown_variables(os.environ)):
        say(f"Warning: {', '.join(told_unknown(name, near) for name, near in unknown.items())}.")
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
    """Whether a person sits there who can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def execute(work: Work) -> NoReturn:
    """Run ``work`` to its exit code. The first Ctrl-C or SIGTERM cancels it, the second ends the process at once."""
    code = asyncio.run(_guarded(work))
    if (server := SERVER.get()) and code in _GOES_ON:
        say(f"What goes on there needs --server {server} too, or COMBINE_SERVER.")
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
            say(
                "Stopped at once. A call in flight here is shown as outcome unknown; nothing that was finished is lost."
            )
            os._exit(ExitCode.OTHER)
        task.cancel()

    return stop

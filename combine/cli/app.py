"""The command ``combine``: what it is called with, and what becomes of errors."""

from __future__ import annotations

import errno
import itertools
import os
import sys
from typing import Annotated

import typer

from combine import __version__
from combine.cli import command_groups, commands
from combine.cli.options import SERVER
from combine.errors import CombineError, DatabaseUnavailable

_DEBUG = "--debug"
_SERVER = "--server"
_OUTPUT_LOST = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF})


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"combine {__version__}")
        raise typer.Exit


def _callback(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option(_DEBUG, help="Show tracebacks and log everything; works anywhere.")] = False,
    server: Annotated[
        str | None,
        typer.Option(
            _SERVER,
            metavar="URL",
            help="Work at that server, with the token in COMBINE_TOKEN; works anywhere.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """From a brief to reviewed, sourced, versioned documents.

    Exit codes: 0 completed, 2 wrong use or bad input, 3 waiting for a person, 4 stopped at a budget, 5 QA limit
    reached, 6 provider unavailable or refused, 1 anything else.
    """
    del version, debug  # done by their own callback, and before anything is parsed
    SERVER.set(server)


def build_app() -> typer.Typer:
    """All commands."""
    app = typer.Typer(
        name="combine",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        callback=_callback,
    )
    commands.register(app)
    command_groups.register(app)
    commands.register_rest(app)
    return app


def main() -> None:
    """The console script, called by ``combine/__main__.py``."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that knows few letters is no reason to fail
    arguments = sys.argv[1:]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    debug = _DEBUG in arguments[:end]
    sys.exit(_run(_anywhere(arguments[:end]) + arguments[end:], debug=debug))


def _anywhere(arguments: list[str]) -> list[str]:
    """The options that may stand anywhere, put where they are looked for: in front."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == _SERVER:
            value = list(itertools.islice(words, 1))
            if not value:
                return [word]  # which says what is missing
            front += [word, *value]
        elif word.startswith(f"{_SERVER}="):
            front.append(word)
        elif word != _DEBUG:
            rest.append(word)
    return front + rest


def _open_what_is_closed() -> None:
    """Put a file where a standard stream was closed before the start; else the next one that is opened takes its place.

    What is written to stdout then fails, as it would have; stderr has nobody left to tell.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            file = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
            if file != number:
                os.dup2(file, number)
                os.close(file)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8"))


def _run(arguments: list[str], *, debug: bool) -> int:
    code = 0
    try:
        try:
            _call(arguments, debug=debug)
        except SystemExit as done:
            code = done.code if isinstance(done.code, int) else 0
        sys.stdout.flush()
    except OSError as error:
        # Whoever read our output has gone, or its disk is full. Python would complain again when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if code == 0 and not isinstance(error, BrokenPipeError):
            typer.echo(_last_words(error), err=True)
        return 1
    return code


def _call(arguments: list[str], *, debug: bool) -> None:
    try:
        if debug:
            from combine.cli.runtime import DEBUG

            DEBUG.set(True)
        build_app()(arguments, prog_name="combine")
    except (SystemExit, BrokenPipeError):
        raise
    except Exception as error:  # the last place where a fault can be told in words
        if debug:
            raise
        told = _in_our_words(error)
        if told is None:
            typer.echo(_last_words(error), err=True)
            sys.exit(1)
        from combine.cli.exit_codes import message_of, of_error

        typer.echo(message_of(told), err=True)
        sys.exit(of_error(told))


def _in_our_words(error: Exception) -> CombineError | None:
    """As an error that says what to do. That the disk is full many can find: the engine, its heartbeat, migrations."""
    if "psycopg" in sys.modules and (not isinstance(error, CombineError) or isinstance(error, DatabaseUnavailable)):
        from combine.storage.core.faults import full_disk

        if (full := full_disk(error)) is not None:
            return full
    return error if isinstance(error, CombineError) else None


def _last_words(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is None and error.errno in _OUTPUT_LOST:
        why = "standard output is closed" if error.errno == errno.EBADF else error.strerror
        told = f"Error: The output cannot be written: {why}."
        return f"{told}\nWhat was done is stored; `combine list` shows it."
    told = f"Internal error: {type(error).__name__}: {error}"
    return f"{told}\nRun the command again with --debug to see where it happened."

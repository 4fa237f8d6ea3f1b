"""The command ``combine``: global options, and how errors reach the user."""

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


def _version(show: bool) -> None:
    if show:
        typer.echo(f"combine {__version__}")
        raise typer.Exit


def _callback(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option(_DEBUG, help="Show tracebacks and debug logs; allowed anywhere on the command line.")
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(
            _SERVER,
            metavar="URL",
            help="Use this server, with the token in COMBINE_TOKEN; allowed anywhere on the command line.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Turn a brief into reviewed, sourced, versioned documents.

    Exit codes: 0 completed, 1 other error, 2 usage error or invalid input, 3 waiting for a person, 4 budget reached,
    5 QA limit reached, 6 provider unavailable or request rejected.
    """
    del version, debug  # handled by the callback above, and in main() before anything is parsed
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
    return app


def main() -> None:
    """The console script, called by ``combine/__main__.py``."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a character that the terminal cannot show must not be an error
    arguments = sys.argv[1:]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    debug = _DEBUG in arguments[:end]
    sys.exit(_run(global_options_first(arguments[:end]) + arguments[end:], debug=debug))


def global_options_first(arguments: list[str]) -> list[str]:
    """Move ``--server`` to the front, where click expects it, and drop ``--debug``, which main() has already read."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == _SERVER:
            value = list(itertools.islice(words, 1))
            if not value:
                return [word]  # click reports the missing value
            front += [word, *value]
        elif word.startswith(f"{_SERVER}="):
            front.append(word)
        elif word != _DEBUG:
            rest.append(word)
    return front + rest


def _open_closed_streams() -> None:
    """Open /dev/null where a standard stream was closed before the start; the next opened file would take its number.

    Writing to stdout then fails, as it would have; what goes to stderr is dropped.
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
        # The reader of our output has gone, or its disk is full. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if code == 0 and not isinstance(error, BrokenPipeError):
            typer.echo(_unexpected(error), err=True)
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
    except Exception as error:  # the last place where an error can become a message
        if debug:
            raise
        known = _as_combine_error(error)
        if known is None:
            typer.echo(_unexpected(error), err=True)
            sys.exit(1)
        from combine.cli.exit_codes import message_of, of_error

        typer.echo(message_of(known), err=True)
        sys.exit(of_error(known))


def _as_combine_error(error: Exception) -> CombineError | None:
    """The error with its hint, if it is ours. Many parts can hit a full disk: the engine, its heartbeat, migrations."""
    if "psycopg" in sys.modules and (not isinstance(error, CombineError) or isinstance(error, DatabaseUnavailable)):
        from combine.storage.core.faults import full_disk

        if (full := full_disk(error)) is not None:
            return full
    return error if isinstance(error, CombineError) else None


def _unexpected(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is None and error.errno in _OUTPUT_LOST:
        why = "standard output is closed" if error.errno == errno.EBADF else error.strerror
        return f"Error: cannot write the output: {why}.\nFinished work is stored; see `combine list`."
    message = f"Internal error: {type(error).__name__}: {error}"
    return f"{message}\nRun the command again with --debug to see the traceback."

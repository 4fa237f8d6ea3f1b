"""`combine` as a process, on a real database, with replies from a script."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pexpect
import structlog
from scripted_bakery import BAKERY, QUESTIONS, TYPES, asking, reply

from combine.cli import app

COMBINE = Path(sys.executable).parent / "combine"


@dataclass(frozen=True)
class Result:
    """What a finished command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@contextmanager
def _logging_restored() -> Iterator[None]:
    root, dbos = logging.getLogger(), logging.getLogger("dbos")
    before = (root.handlers[:], root.level, dbos.handlers, dbos.filters, dbos.level, dbos.propagate)
    root.handlers = []  # else the handlers of pytest are closed
    try:
        yield
    finally:
        root.handlers, root.level, dbos.handlers, dbos.filters, dbos.level, dbos.propagate = before
        structlog.reset_defaults()


@dataclass
class Cli:
    """Starts commands with the settings of one test."""

    folder: Path
    url: str
    bytecode: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def brief(self) -> str:
        return str(BAKERY / "brief.txt")

    def script(self, **replies: Any) -> None:
        """What the scripted provider says; without more, two questions and then the bakery's documents."""
        asks_first = {TYPES[0]: [asking(*QUESTIONS), reply(TYPES[0])]}
        whole = (
            {name: [reply(name)] for name in TYPES}
            | asks_first
            | {key.replace("_", "-"): value for key, value in replies.items()}
        )
        path = self.folder / "script.json"
        path.write_text(json.dumps({"replies": whole}), encoding="utf-8")
        self.environment["COMBINE_SCRIPTED_FILE"] = str(path)

    def write(self, name: str, content: str | bytes) -> str:
        """A file in the test's folder."""
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def env(self) -> dict[str, str]:
        base = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return base | {
            "COMBINE_DATABASE_URL": self.url,
            "COMBINE_DATA_DIR": str(self.folder / "data"),
            "COMBINE_LLM_DEFAULT_MODEL": "scripted",
            "PYTHONPYCACHEPREFIX": str(self.bytecode),
            "NO_COLOR": "1",
            **self.environment,
        }

    def __call__(self, *arguments: str, given: str | bytes = b"", **environment: str) -> Result:
        """Run to the end, with no terminal."""
        done = subprocess.run(
            [COMBINE, *arguments],
            input=given if isinstance(given, bytes) else given.encode(),
            capture_output=True,
            env=self.env() | environment,
            cwd=self.folder,
            check=False,
            timeout=60,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def here(self, *arguments: str, **environment: str) -> Result:
        """Run in this process, which is quicker; for commands that only look, and for what is refused."""
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self.env() | environment, clear=True),
            redirect_stdout(out),
            redirect_stderr(err),
            _logging_restored(),
        ):
            code = app._run(list(arguments), debug=False)
        return Result(code, out.getvalue(), err.getvalue())

    def begin(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start and go on at once."""
        return subprocess.Popen(
            [COMBINE, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.env() | environment,
            cwd=self.folder,
            text=True,
        )

    def terminal(self, *arguments: str, **environment: str) -> pexpect.spawn:
        """Run at a pseudo-terminal."""
        return pexpect.spawn(
            str(COMBINE),
            list(arguments),
            env=self.env() | environment | {"TERM": "xterm"},
            cwd=self.folder,
            encoding="utf-8",
            timeout=30,
            dimensions=(50, 200),
        )

    @staticmethod
    def finish(terminal: pexpect.spawn) -> tuple[int, str]:
        """Exit code and what was printed after the last expectation."""
        terminal.expect(pexpect.EOF)
        terminal.close()
        return terminal.exitstatus, terminal.before

"""`combine serve` as a process of its own, for tests of commands that work at a server."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from threading import Thread

from reserved_port import reserve_port

COMBINE = Path(sys.executable).parent / "combine"
_READY = re.compile(r"Ready at (\S+) ")


@dataclass
class ServeProcess:
    """A server that may be stopped, killed and started again at the same address."""

    environment: dict[str, str]
    folder: Path
    port: int = 0
    output: list[str] = field(default_factory=list)
    url: str = ""

    def start(self, *options: str) -> ServeProcess:
        """Wait until it is ready."""
        if not self.port:
            held = reserve_port()  # also while the server is away
            weakref.finalize(self, held.close)
            self.port = held.getsockname()[1]
        self.process = subprocess.Popen(
            [COMBINE, "serve", "--port", str(self.port), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=self.environment,
            cwd=self.folder,
            text=True,
        )
        ready: Queue[str] = Queue()
        self.reader = Thread(target=self._read, args=(ready,), daemon=True)
        self.reader.start()
        self.url = ready.get(timeout=60)
        assert self.url, "".join(self.output)
        return self

    def kill(self) -> None:
        """As if the power were cut."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As it should be."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(60)
        self.reader.join(60)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read(self, ready: Queue[str]) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.output.append(line)
            if found := _READY.search(line):
                ready.put(found[1])
        ready.put("")

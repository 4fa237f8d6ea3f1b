"""Asking a person at a terminal without stopping the event loop."""

from __future__ import annotations

import asyncio
import os
import sys

_LINE = 65_536


async def read_line(prompt: str) -> str | None:
    """One line from the terminal, trimmed; None at the end of input (Ctrl-D). Cancelling leaves the terminal as it was.

    The terminal itself does the editing, so a line is there when it is finished. A thread with ``input()`` could not be
    interrupted.
    """
    sys.stderr.write(prompt)
    sys.stderr.flush()
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    descriptor = sys.stdin.fileno()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
        data = os.read(descriptor, _LINE)
    except asyncio.CancelledError:
        sys.stderr.write("\n")
        raise
    finally:
        loop.remove_reader(descriptor)
    if not data:
        sys.stderr.write("\n")
        return None
    return "".join(letter for letter in data.decode("utf-8", "replace").strip() if letter.isprintable())

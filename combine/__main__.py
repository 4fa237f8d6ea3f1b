"""The console script, and ``python -m combine``. Light, so that Ctrl-C is quiet from the first import on."""

import os
import signal
import sys
from types import FrameType

_INTERRUPTED = 130  # as in shells: 128 plus the number of the signal


def main() -> None:
    """The command ``combine``."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # unless it is being ignored
        signal.signal(signal.SIGINT, _leave)
    try:
        from combine.cli.app import main as run  # noqa: PLC0415 - takes a while

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Until a command has started and handles the signal itself, there is nothing to clean up."""
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()

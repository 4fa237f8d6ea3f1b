"""The console script, and ``python -m combine``. Light, so that Ctrl-C is quiet from the first import on."""

import os
import signal
import sys
from types import FrameType

_INTERRUPTED = 130  # as shells count: 128 and the number of the signal


def main() -> None:
    """The command ``combine``."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is to be ignored
        signal.signal(signal.SIGINT, _leave)
    try:
        from combine.cli.app import main as run  # noqa: PLC0415 - takes a while

        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Until a command has begun its work, and takes the signal itself, there is nothing to be put in order."""
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()

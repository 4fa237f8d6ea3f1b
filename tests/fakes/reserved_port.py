"""A port that a test knows before anybody listens there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


def reserve_port() -> socket.socket:
    """Bound to a port of 127.0.0.1, and silent: who connects is refused, and nobody is given it as a free one.

    A server may still bind it by its number, with SO_REUSEADDR, and listen, while this socket is open.
    """
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", 0))
    return one


@contextmanager
def reserved_port() -> Iterator[int]:
    """The number of one that is reserved until the end of the block."""
    with reserve_port() as one:
        yield one.getsockname()[1]

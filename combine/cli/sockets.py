"""Where a server listens."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

from combine.errors import Invalid

_NOT_HERE: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def bind(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of ``host``, all with the same port; none listens yet. Raises Invalid."""
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            taken = sockets[0].getsockname()[1] if sockets else port
            with suppress(_NotHere):
                sockets.append(_bind(family, (address, taken)))
    except BaseException:
        for one in sockets:
            one.close()
        raise
    if not sockets:
        raise _unusable(host, "this machine has no such address")
    return sockets


def is_loopback(sockets: Sequence[socket.socket]) -> bool:
    """Whether nobody but this machine can reach them."""
    return all(ip_address(one.getsockname()[0]).is_loopback for one in sockets)


class _NotHere(Exception):
    """The machine has no such address; another one of the same name will do."""


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _unusable(host, getattr(error, "strerror", None) or str(error)) from None
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _bind(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    # Named, since asyncio sends small answers at once (TCP_NODELAY) only where it sees that this is TCP.
    one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
    except OSError as error:
        one.close()
        if error.errno in _NOT_HERE:
            raise _NotHere from None
        if error.errno == errno.EADDRINUSE:
            raise Invalid(
                f"Port {address[1]} at {address[0]} is in use.",
                code="port_in_use",
                hint="Another `combine serve` may be running. Choose another port with --port or COMBINE_PORT.",
            ) from None
        raise Invalid(
            f"Port {address[1]} at {address[0]} cannot be used: {error.strerror}.",
            code="port_unusable",
            hint="Ports below 1024 are for root alone on most machines; choose another with --port.",
        ) from None
    return one


def _unusable(host: str, reason: str) -> Invalid:
    return Invalid(
        f"Nothing can listen at {host!r}: {reason}.",
        code="host_unusable",
        hint="Give an address of this machine with --host or COMBINE_HOST; 127.0.0.1 is for this machine alone.",
    )

"""Binds the sockets of the server."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Final

from combine.errors import Invalid

_UNAVAILABLE: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def bind(host: str, port: int) -> list[socket.socket]:
    """One bound socket per address of ``host``, all with the same port; none is listening yet. Raises Invalid."""
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            taken = sockets[0].getsockname()[1] if sockets else port
            with suppress(_AddressUnavailable):
                sockets.append(_bind(family, (address, taken)))
    except BaseException:
        for one in sockets:
            one.close()
        raise
    if not sockets:
        raise _unusable(host, "this machine does not have this address")
    return sockets


def is_loopback(sockets: Sequence[socket.socket]) -> bool:
    """Whether only this machine can reach them."""
    return all(ip_address(one.getsockname()[0]).is_loopback for one in sockets)


class _AddressUnavailable(Exception):
    """The address is not one of this machine; another address of the same host may be."""


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _unusable(host, getattr(error, "strerror", None) or str(error)) from None
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _bind(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    # With the protocol, because asyncio sets TCP_NODELAY only if the socket says that it is TCP.
    one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
    except OSError as error:
        one.close()
        if error.errno in _UNAVAILABLE:
            raise _AddressUnavailable from None
        if error.errno == errno.EADDRINUSE:
            raise Invalid(
                f"Port {address[1]} on {address[0]} is already in use.",
                code="port_in_use",
                hint="Another `combine serve` may be running. Use another port with --port or COMBINE_PORT.",
            ) from None
        raise Invalid(
            f"Cannot use port {address[1]} on {address[0]}: {error.strerror}.",
            code="port_unusable",
            hint="Ports below 1024 are reserved for root on most machines; use another one with --port.",
        ) from None
    return one


def _unusable(host: str, reason: str) -> Invalid:
    return Invalid(
        f"Cannot listen on {host!r}: {reason}.",
        code="host_unusable",
        hint="Set an address of this machine with --host or COMBINE_HOST; 127.0.0.1 accepts local connections only.",
    )

"""uvicorn as a library, with our own protocol, signal handling and logging."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

from combine.api.wire import LimitedProtocol

_KEEP_ALIVE_S: Final = 75  # longer than load balancers keep an idle connection, so that they never reuse a closed one


class HttpServer(uvicorn.Server):
    """Serves until ``should_exit`` is set; ``ready`` is set once it accepts connections."""

    def __init__(self, app: Any, *, trusted_proxies: Sequence[str] = (), grace_s: float = 10.0) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # lower levels report errors of clients
        self.ready = asyncio.Event()
        super().__init__(
            uvicorn.Config(
                app,
                http=LimitedProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=list(trusted_proxies),
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=max(1, round(grace_s)),
                reset_contextvars=True,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening."""
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the caller."""
        yield

"""The HTTP server as it is, on a loop of its own in a thread: tests of any kind talk to it over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, TypeVar
from uuid import uuid4

import httpx2
import psycopg
import structlog

from combine.bootstrap.serving import Serving, open_serving
from combine.cli.http_server import HttpServer
from combine.cli.sockets import bind
from combine.main import create_app
from combine.settings import Settings

T = TypeVar("T")
PLENTY = {
    "rate_limit_sign_in": "999999/second",
    "rate_limit_starts": "999999/second",
    "rate_limit_tokens": "999999/second",
}
"""Settings of a server without effective rate limits."""


class ApiServer:
    """A running server; ``do`` runs a coroutine on its loop, where ``serving`` belongs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ready: asyncio.Future[None]
        self._loop = asyncio.new_event_loop()
        self.serving: Serving
        self.url = ""

    def do(self, work: Coroutine[Any, Any, T], seconds: float = 30) -> T:
        """The result of ``work``."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def client(self, token: str | None = None, **more: Any) -> httpx2.Client:
        """A client, with a token if one is given; to be closed by the caller."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False, **more)

    @contextmanager
    def running(self) -> Iterator[ApiServer]:
        """From ready to stopped."""
        thread = Thread(target=self._loop.run_forever, name="api-server")
        thread.start()
        try:
            stop, ready = self.do(_event()), self.do(_event())
            served = asyncio.run_coroutine_threadsafe(self._serve(stop, ready), self._loop)
            self.do(_either(ready, asyncio.wrap_future(served, loop=self._loop)))
            if served.done():
                served.result()
            try:
                yield self
            finally:
                self._loop.call_soon_threadsafe(stop.set)
                served.result(30)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(30)
            self._loop.close()

    async def _serve(self, stop: asyncio.Event, ready: asyncio.Event) -> None:
        sockets = bind("127.0.0.1", 0)
        port = sockets[0].getsockname()[1]
        settings = self._settings.model_copy(update={"port": port})
        async with open_serving(settings, lambda _: None) as serving:
            self.serving = serving
            server = HttpServer(create_app(settings, serving=serving))
            running = asyncio.create_task(server.serve(sockets))
            await server.ready.wait()
            self.url = f"http://127.0.0.1:{port}"
            ready.set()
            await stop.wait()
            serving.feed.cut_all()
            server.should_exit = True
            await running


async def _event() -> asyncio.Event:
    return asyncio.Event()


async def _either(ready: asyncio.Event, served: asyncio.Future[None]) -> None:
    waiting = asyncio.ensure_future(ready.wait())
    await asyncio.wait([waiting, served], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


@contextmanager
def api_server(database_url: str, **settings: Any) -> Iterator[ApiServer]:
    """A server on that database, without effective rate limits unless they are given."""
    given = {"database_url": database_url, **PLENTY, **settings}
    with _quiet(), ApiServer(Settings(**given)).running() as server:
        yield server


@contextmanager
def _quiet() -> Iterator[None]:
    """Lines of the access log go where pytest keeps log lines, and not to stdout."""
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)


@contextmanager
def new_database(server_url: str) -> Iterator[str]:
    """A migrated database for the tests of one module; ``server_url``: of the fixture ``shared_server_url``."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template_combine STRATEGY file_copy")
        yield server_url.replace("/combine?", f"/{name}?")
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

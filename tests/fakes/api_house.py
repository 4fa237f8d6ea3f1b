"""What the tests of the HTTP server share: executions that tests move by hand, and a server over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import httpx2
import psycopg
import sqlalchemy as sa
from fastapi import FastAPI
from stored import an_execution, store_execution

from combine.cli.http_server import HttpServer
from combine.cli.sockets import bind
from combine.storage.core.database import Database
from combine.storage.events import Events
from combine.storage.executions import Executions
from combine.storage.hot.transitions import Transitions

TICK = 0.01


async def until(holds, seconds=20.0):
    """Wait until ``holds()``; it may be a coroutine function."""
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(TICK)


@dataclass
class HandMoved:
    """Executions of one project whose events a test writes itself."""

    database: Database
    project_id: UUID | None = None
    brief_id: UUID | None = None
    made: list[UUID] = field(default_factory=list)

    async def new(self) -> UUID:
        new_id = uuid4()

        async def work(session):
            if self.brief_id is None:
                first = await store_execution(session, "Shop")
                row = await Executions(session).get(first)
                self.project_id, self.brief_id = row.project_id, row.brief_id
            await Executions(session).insert(an_execution(self.project_id, self.brief_id, id=new_id))

        await self.database.transact(work)
        self.made.append(new_id)
        return new_id

    async def event(self, execution_id: UUID, kind: str = "tick", times: int = 1) -> None:
        """Store so many events, each in a transaction of its own."""
        for _ in range(times):
            await self.database.transact(lambda session: Events(session).append(execution_id, kind, data={"n": kind}))

    async def burst(self, execution_id: UUID, times: int) -> None:
        """The same in one transaction."""

        async def work(session):
            for _ in range(times):
                await Events(session).append(execution_id, "tick")

        await self.database.transact(work)

    async def status(self, execution_id: UUID, status: str) -> None:
        """The execution comes to stand so, with its event."""
        await self.database.transact(lambda session: Transitions(session).finish(execution_id, status))

    async def silently(self, execution_id: UUID, status: str = "running") -> None:
        """An event, and perhaps another status, that nobody is told of."""

        async def work(session):
            await session.connection.execute(
                sa.text("UPDATE executions SET seq = seq + 1, status = :status WHERE id = :id"),
                {"id": execution_id, "status": status},
            )
            insert = (
                "INSERT INTO events (execution_id, seq, kind) SELECT id, seq, 'quiet' FROM executions WHERE id = :id"
            )
            await session.connection.execute(sa.text(insert), {"id": execution_id})

        await self.database.transact(work)


def connections(database_url: str, application_name: str) -> int:
    """How many of that name a database has."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()",
            [application_name],
        ).fetchone()
    assert row is not None
    return row[0]


@dataclass
class LiveServer:
    """A server in this loop, on a port."""

    app: FastAPI
    http: HttpServer
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **given) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, timeout=30, trust_env=False, **given)

    async def raw(self, data: bytes) -> bytes:
        """Send these bytes, and read until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        try:
            return await asyncio.wait_for(reader.read(), 20)
        finally:
            writer.close()


@asynccontextmanager
async def live_server(
    app: FastAPI, *, port: int = 0, trusted_proxies=(), grace_s: float = 5.0
) -> AsyncIterator[LiveServer]:
    """The application over real HTTP, as ``combine serve`` runs it."""
    sockets = bind("127.0.0.1", port)
    http = HttpServer(app, trusted_proxies=trusted_proxies, grace_s=grace_s)
    task = asyncio.create_task(http.serve(sockets))
    await asyncio.wait_for(http.ready.wait(), 20)
    try:
        yield LiveServer(app, http, sockets[0].getsockname()[1])
    finally:
        http.should_exit = True
        await task


@dataclass
class Message:
    """One server-sent event, or a comment."""

    event: str = ""
    id: str | None = None
    data: str = ""
    comment: str | None = None
    retry: str | None = None

    @property
    def json(self):
        return json.loads(self.data)


async def messages(response: httpx2.Response) -> AsyncIterator[Message]:
    """The messages of an event stream, read as a browser reads them."""
    found = Message()
    async for line in response.aiter_lines():
        if not line:
            yield found
            found = Message()
        elif line.startswith(":"):
            found.comment = line[1:].strip()
        else:
            name, _, value = line.partition(":")
            setattr(found, name, value.removeprefix(" "))

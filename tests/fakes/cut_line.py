"""A line to PostgreSQL that breaks off at a COMMIT: before the server has it, or before its answer is through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import psycopg
import sqlalchemy as sa

_COMMIT = b"Q\0\0\0\x0bCOMMIT\0"
"""The message of the protocol: a query, its length, its text. "BEGIN ISOLATION LEVEL READ COMMITTED" is another."""


class Cut(Enum):
    """Where."""

    BEFORE = "before"  # the server never has it, and rolls back
    AFTER = "after"  # the server commits, and nobody hears of it


@dataclass
class CutLine:
    """Cuts one COMMIT for each entry of ``cuts``; the connections after that are whole."""

    url: str = ""
    cuts: list[Cut] = field(default_factory=list)


@asynccontextmanager
async def cut_line(database_url: str) -> AsyncIterator[CutLine]:
    """Between a client and the server of ``database_url``, which listens on a socket in a folder."""
    given = psycopg.conninfo.conninfo_to_dict(database_url)
    socket_path = str(Path(given["host"]) / f".s.PGSQL.{given.get('port', 5432)}")
    line, open_ones = CutLine(), set()

    async def connected(reader, writer):
        open_ones.add(asyncio.current_task())
        server_reader, server_writer = await asyncio.open_unix_connection(socket_path)
        back = asyncio.create_task(_pass_on(server_reader, writer))
        try:
            while data := await reader.read(65536):
                cut = line.cuts.pop(0) if _COMMIT in data and line.cuts else None
                if cut is Cut.AFTER:
                    await _unheard(back, server_reader, server_writer, data)
                if cut is not None:
                    break
                server_writer.write(data)
        except asyncio.CancelledError:  # the end, while somebody is still connected; asyncio takes it for a fault
            pass
        finally:
            back.cancel()
            writer.close()
            server_writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    address = sa.make_url(database_url).set(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    query = {name: value for name, value in address.query.items() if name not in {"host", "port"}}
    line.url = address.set(query=query | {"sslmode": "disable"}).render_as_string(hide_password=False)
    try:
        yield line
    finally:
        server.close()
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)


async def _unheard(back, reader, writer, data) -> None:
    """Sent, done, and its answer thrown away."""
    back.cancel()
    await asyncio.gather(back, return_exceptions=True)
    writer.write(data)
    await reader.read(65536)

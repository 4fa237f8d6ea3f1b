"""What the HTTP API is compared with: FastAPI with two routes, on the same server with the same settings.

``/constant`` returns BYTES bytes; ``/row`` first reads one row with SQLAlchemy, in a transaction, from a pool of the
same size. ``_bare_app.py DATABASE_URL BYTES`` prints its URL and serves until SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import sqlalchemy as sa
from fastapi import FastAPI, Response
from sqlalchemy.ext.asyncio import create_async_engine

from combine.cli.http_server import HttpServer
from combine.cli.sockets import bind
from combine.storage.core.urls import normalise_url


def application(database_url: str, size: int) -> FastAPI:
    engine = create_async_engine(normalise_url(database_url), pool_size=10, max_overflow=0)
    constant = json.dumps({"text": "x" * (size - 12)}).encode()
    query = sa.text("SELECT id, status FROM executions ORDER BY created_at LIMIT 1")
    app = FastAPI(openapi_url=None)

    @app.get("/constant")
    async def fixed() -> Response:
        return Response(constant, media_type="application/json")

    @app.get("/row")
    async def row() -> Response:
        async with engine.begin() as connection:
            (await connection.execute(query)).first()
        return Response(constant, media_type="application/json")

    return app


async def main() -> None:
    sockets = bind("127.0.0.1", 0)
    server = HttpServer(application(sys.argv[1], int(sys.argv[2])))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, setattr, server, "should_exit", True)
    serving = asyncio.create_task(server.serve(sockets))
    await server.ready.wait()
    print(f"http://127.0.0.1:{sockets[0].getsockname()[1]}", flush=True)
    await serving


if __name__ == "__main__":
    asyncio.run(main())

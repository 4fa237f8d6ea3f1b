"""The HTTP server's application, built from settings. Nothing happens at import."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from combine import __version__
from combine.api import application, costs, documents, executions, health, people, projects, workflows
from combine.api.application import DESCRIPTION, Application
from combine.api.caller import Shell, State
from combine.api.correlation import Correlation
from combine.api.limits import Limit, RateLimits, Rule
from combine.api.middleware import (
    MAX_CONCURRENT_REQUESTS,
    BodyLimit,
    Cors,
    Gate,
    Heads,
    SecurityHeaders,
    TimeLimit,
    name_in_host_header,
)
from combine.bootstrap.serving import Serving, open_serving
from combine.observability.metrics import Metrics, Readings
from combine.settings import Settings
from combine.web import sign_in
from combine.web.pages import Static

_ROUTERS: Final = (
    health.router,
    application.router,
    projects.router,
    executions.router,
    documents.router,
    workflows.router,
    costs.router,
    people.router,
    sign_in.router,
)
_COMPRESS_FROM: Final = 1000
_COMPRESSION: Final = 5  # level 9 takes twice the time, and JSON gets hardly smaller

_log = logging.getLogger(__name__)


def create_app(
    settings: Settings, *, serving: Serving | None = None, routers: Iterable[APIRouter] = _ROUTERS
) -> FastAPI:
    """The application with its routes and middleware.

    ``serving``: opened and closed by the caller; None: the lifespan does both. A caller that stops the server should
    first end the event streams (``Serving.feed``), because their clients keep it running otherwise.
    """
    metrics = Metrics() if settings.enable_metrics else None
    public_url = public_url_of(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
        async with AsyncExitStack() as stack:
            opened = serving if serving is not None else await stack.enter_async_context(_open(settings))
            if metrics is not None:
                metrics.add_readings(_readings(opened))
            yield {"shell": Shell(opened, _limits(settings, metrics), metrics, public_url)}

    app = Application(
        title="The Combine",
        summary="From a brief to reviewed, sourced, versioned documents.",
        description=DESCRIPTION,
        version=__version__,
        redirect_slashes=False,
        middleware=_middleware(settings, public_url, metrics),
        lifespan=lifespan,
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    for router in routers:
        app.include_router(router)
    app.mount("/static", Static(), name="static")
    return app


def public_url_of(settings: Settings) -> str:
    """The address that users open: as configured, else the one the server listens on."""
    if settings.public_url is not None:
        return settings.public_url
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def _open(settings: Settings) -> AbstractAsyncContextManager[Serving]:
    return open_serving(settings, _log.info)


def _middleware(settings: Settings, public_url: str, metrics: Metrics | None) -> list[Middleware]:
    """From the outermost to the innermost."""
    hosts = (name_in_host_header(public_url.partition("://")[2]), *settings.allowed_hosts)
    cors = [Middleware(Cors, origins=settings.cors_origins)] if settings.cors_origins else []
    return [
        Middleware(SecurityHeaders, https=public_url.startswith("https:")),
        Middleware(Correlation, observer=metrics),
        Middleware(Gate, hosts=hosts, max_concurrent=MAX_CONCURRENT_REQUESTS),
        *cors,
        Middleware(Heads),
        Middleware(GZipMiddleware, minimum_size=_COMPRESS_FROM, compresslevel=_COMPRESSION),
        Middleware(TimeLimit, seconds=settings.request_timeout.total_seconds()),
        Middleware(BodyLimit, max_bytes=settings.max_body_bytes, seconds=settings.body_timeout.total_seconds()),
    ]


def _limits(settings: Settings, metrics: Metrics | None) -> RateLimits:
    rules = {
        Limit.SIGN_IN: Rule.of(settings.rate_limit_sign_in),
        Limit.SIGN_IN_FAILED: Rule.of(settings.rate_limit_sign_in),
        Limit.STARTS: Rule.of(settings.rate_limit_starts),
        Limit.TOKENS: Rule.of(settings.rate_limit_tokens),
    }
    return RateLimits(rules, on_refused=_ignore if metrics is None else metrics.rate_limited)


def _ignore(_limit: Limit) -> None:
    pass


def _readings(serving: Serving) -> Readings:
    feed, database = serving.feed, serving.database
    return Readings(
        event_streams=lambda: feed.readers,
        followed_executions=lambda: feed.executions,
        dropped_streams=lambda: feed.dropped,
        database_connections=database.connections,
    )

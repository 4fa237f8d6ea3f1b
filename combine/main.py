"""The HTTP server's application, made of settings. Nothing happens at import."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from combine import __version__
from combine.api import errors
from combine.api.correlation import Correlation
from combine.api.hardening import MOST_AT_ONCE, Cors, Gate, SecurityHeaders, host_name
from combine.api.heads import Heads
from combine.api.limits import Limit, RateLimits, Rule
from combine.api.openapi import DESCRIPTION, Application
from combine.api.patience import BodyLimit, TimeLimit
from combine.api.routers import ROUTERS
from combine.api.shell import Shell, State
from combine.bootstrap.serving import Serving, open_serving
from combine.observability.metrics import Metrics, Readings
from combine.settings import Settings
from combine.web.pages import Static
from combine.web.sign_in import router as sign_in

_ROUTERS: Final = (*ROUTERS, sign_in)
_COMPRESS_FROM: Final = 1000
_COMPRESSION: Final = 5  # of an API's JSON little more is left at 9, in twice the time

_log = logging.getLogger(__name__)


def create_app(
    settings: Settings, *, serving: Serving | None = None, routers: Iterable[APIRouter] = _ROUTERS
) -> FastAPI:
    """The application, with its routes and all that stands around them.

    ``serving``: what it works with, opened and closed by the caller; None: the lifespan does both. A caller that stops
    the server should end the live events first (``Serving.feed``), or their clients keep the server up.
    """
    metrics = Metrics() if settings.enable_metrics else None
    public_url = public_url_of(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[State]:
        async with AsyncExitStack() as stack:
            opened = serving if serving is not None else await stack.enter_async_context(_open(settings))
            if metrics is not None:
                metrics.look_up(_readings(opened))
            yield {"shell": Shell(opened, _limits(settings, metrics), metrics, public_url)}

    app = Application(
        title="The Combine",
        summary="From a brief to reviewed, sourced, versioned documents.",
        description=DESCRIPTION,
        version=__version__,
        redirect_slashes=False,
        responses=errors.responses(*errors.EVERYWHERE),
        middleware=_middleware(settings, public_url, metrics),
        lifespan=lifespan,
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    errors.install(app)
    for router in routers:
        app.include_router(router)
    app.mount("/static", Static(), name="static")
    return app


def public_url_of(settings: Settings) -> str:
    """What people type to get here: as set, else the address that is listened on."""
    if settings.public_url is not None:
        return settings.public_url
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def _open(settings: Settings) -> AbstractAsyncContextManager[Serving]:
    return open_serving(settings, _log.info)


def _middleware(settings: Settings, public_url: str, metrics: Metrics | None) -> list[Middleware]:
    """From the outermost to the one next to the routes."""
    hosts = (host_name(public_url.partition("://")[2]), *settings.allowed_hosts)
    cors = [Middleware(Cors, origins=settings.cors_origins)] if settings.cors_origins else []
    return [
        Middleware(SecurityHeaders, https=public_url.startswith("https:")),
        Middleware(Correlation, observer=metrics),
        Middleware(Gate, hosts=hosts, most_at_once=MOST_AT_ONCE),
        *cors,
        Middleware(Heads),
        Middleware(GZipMiddleware, minimum_size=_COMPRESS_FROM, compresslevel=_COMPRESSION),
        Middleware(TimeLimit, seconds=settings.request_timeout.total_seconds()),
        Middleware(BodyLimit, most=settings.max_body_bytes, seconds=settings.body_timeout.total_seconds()),
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

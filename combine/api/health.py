"""Liveness, readiness, version and metrics. Outside ``/api/v1``, without authentication."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from fastapi import APIRouter, Response

from combine import __version__
from combine.api.caller import TheShell
from combine.api.errors import responses
from combine.errors import NotFound, Unavailable
from combine.observability.metrics import CONTENT_TYPE

router: Final = APIRouter(tags=["server"])


@dataclass(frozen=True, slots=True)
class Alive:
    """The process responds."""

    status: Literal["alive"] = "alive"


@dataclass(frozen=True, slots=True)
class Ready:
    """The server can handle requests."""

    status: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True)
class Version:
    """The version of the server."""

    version: str


@router.get("/health")
async def alive() -> Alive:
    """Liveness: whether the process responds; checks nothing else. For supervisors that restart it."""
    return Alive()


@router.get("/health/ready")
async def ready(shell: TheShell) -> Ready:
    """Readiness: the database responds, has the right schema and delivers events. For load balancers."""
    health = await shell.serving.readiness.check()
    if not health.ready:
        failed = sorted(name for name, passed in health.checks.items() if not passed)
        raise Unavailable(
            f"Not ready; failed checks: {', '.join(failed)}.",
            code="not_ready",
            details={"checks": {name: "ok" if passed else "failed" for name, passed in health.checks.items()}},
        )
    return Ready()


@router.get("/version")
async def version() -> Version:
    """The version of the server."""
    return Version(__version__)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "The Prometheus text format."}, **responses(404)},
)
async def metrics(shell: TheShell) -> Response:
    """Metrics of this process, if enabled."""
    if shell.metrics is None:
        raise NotFound("Metrics are disabled.", code="metrics_off", hint="Set COMBINE_ENABLE_METRICS=true.")
    return Response(shell.metrics.text(), media_type=CONTENT_TYPE)

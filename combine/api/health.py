"""Whether the server lives and can work, what it is, and its figures. Outside ``/api/v1``, and open to everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from fastapi import APIRouter, Response

from combine import __version__
from combine.api.errors import responses
from combine.api.shell import TheShell
from combine.errors import NotFound, Unavailable
from combine.observability.metrics import CONTENT_TYPE

router: Final = APIRouter(tags=["server"])


@dataclass(frozen=True, slots=True)
class Alive:
    """It answers."""

    status: Literal["alive"] = "alive"


@dataclass(frozen=True, slots=True)
class Ready:
    """It can work."""

    status: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True)
class Version:
    """What runs here."""

    version: str


@router.get("/health")
async def alive() -> Alive:
    """Whether the process answers; looks at nothing else. For what restarts a process that does not."""
    return Alive()


@router.get("/health/ready")
async def ready(shell: TheShell) -> Ready:
    """Whether it can work: the database answers, has the right schema, and tells of events. For load balancers."""
    health = await shell.serving.readiness.look()
    if not health.ready:
        failed = sorted(name for name, well in health.checks.items() if not well)
        raise Unavailable(
            f"Not ready: {', '.join(failed)}.",
            code="not_ready",
            details={"checks": {name: "ok" if well else "failed" for name, well in health.checks.items()}},
        )
    return Ready()


@router.get("/version")
async def version() -> Version:
    """The version of the program."""
    return Version(__version__)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus's text format."}, **responses(404)},
)
async def metrics(shell: TheShell) -> Response:
    """Figures of this process, if they are switched on."""
    if shell.metrics is None:
        raise NotFound("Metrics are switched off.", code="metrics_off")
    return Response(shell.metrics.text(), media_type=CONTENT_TYPE)

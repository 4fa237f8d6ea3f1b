"""What every route gets: handed over once at the start, in the state of the lifespan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, TypedDict

from fastapi import Depends, Request

from combine.api.limits import MOST_STREAMS, RateLimits, Seats
from combine.api.rendered import RenderedPages
from combine.bootstrap.serving import Serving
from combine.observability.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Shell:
    """The server around the routes."""

    serving: Serving
    limits: RateLimits
    metrics: Metrics | None
    """None: switched off."""
    public_url: str
    """An origin, without a trailing slash."""
    streams: Seats = field(default_factory=lambda: Seats(MOST_STREAMS))
    pages: RenderedPages = field(default_factory=RenderedPages)

    @property
    def https(self) -> bool:
        """Whether people come over https, so that cookies may be bound to it."""
        return self.public_url.startswith("https:")


class State(TypedDict):
    """What the lifespan hands to each request."""

    shell: Shell


async def the_shell(request: Request) -> Shell:
    """The one of this server."""
    shell: Shell = request.state.shell
    return shell


TheShell = Annotated[Shell, Depends(the_shell)]

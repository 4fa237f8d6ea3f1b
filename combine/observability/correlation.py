"""Which HTTP request caused what happens now. Bound to the task, and so to every log line that it writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

_KEY = "request_id"


def current_request_id() -> str | None:
    """The request that is being worked on, or that let this segment go on; None: no request did."""
    value = structlog.contextvars.get_contextvars().get(_KEY)
    return None if value is None else str(value)


@contextmanager
def caused_by(request_id: str | None, **more: str) -> Iterator[None]:
    """Everything inside, and in tasks begun inside, was caused by that request, or by none.

    ``more`` goes to the log lines only.
    """
    with structlog.contextvars.bound_contextvars(**{_KEY: request_id}, **more):
        if request_id is None:
            structlog.contextvars.unbind_contextvars(_KEY)  # that of what is around
        yield

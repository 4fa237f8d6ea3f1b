"""Which HTTP request caused what happens now. Bound to the task, and so to every log line that it writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog

_KEY = "request_id"


def current_request_id() -> str | None:
    """The request that is being worked on, or that let this segment go on; None: no request did."""
    value = structlog.contextvars.get_contextvars().get(_KEY)
    return None if value is None else str(value)


@contextmanager
def caused_by(request_id: str | None, **more: str) -> Iterator[None]:
    """Everything inside, and in tasks begun inside, was caused by that request. ``more`` goes to the log lines only."""
    facts: Mapping[str, str] = {**({} if request_id is None else {_KEY: request_id}), **more}
    with structlog.contextvars.bound_contextvars(**facts):
        yield

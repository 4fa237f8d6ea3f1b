"""Which HTTP request caused the current work. Bound to the task, and so to every log line it writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

_KEY = "request_id"


def current_request_id() -> str | None:
    """The ID of the request being handled, or that continued the current segment; None if there is none."""
    value = structlog.contextvars.get_contextvars().get(_KEY)
    return None if value is None else str(value)


@contextmanager
def caused_by(request_id: str | None, **more: str) -> Iterator[None]:
    """Attribute everything inside, including tasks started inside, to this request (None: to no request).

    ``more`` is added to log lines only.
    """
    with structlog.contextvars.bound_contextvars(**{_KEY: request_id}, **more):
        if request_id is None:
            structlog.contextvars.unbind_contextvars(_KEY)  # that of the surrounding code
        yield

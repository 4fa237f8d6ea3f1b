"""One formatter for our log lines and those of the libraries. Lines go to stderr; results own stdout."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, TextIO

import structlog

MASK = "***"
_URL_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s@]+(@)")
_API_KEY = re.compile(r"\bsk-[A-Za-z0-9_-]{8,}")
_NAMED_ERROR = re.compile(r"^(?:\w+\.)*(\w+: .+)$", re.MULTILINE)
_NOISY_LOGGER = "dbos"  # writes some hundred lines a second while its database is away
_REPEAT_AFTER_S = 30.0
_BACKSLASHES = r"(?<!\\)\\++"

_Event = MutableMapping[str, Any]


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what ``sys.stderr`` is at that moment, so that a live display can put lines above itself."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override] # a property in place of an attribute is the point
        return sys.stderr


class _FirstLine(logging.Filter):
    """Leaves of a message what it says, without the traceback and the explanations that a library has put into it."""

    def filter(self, record: logging.LogRecord) -> bool:
        told = record.getMessage()
        lines = told.partition("Traceback (most recent call last):")[0].strip().splitlines()
        first = lines[0].rstrip(": ") if lines else ""
        if first != told:
            named = _NAMED_ERROR.findall(told) if "Traceback (most" in told else []
            record.msg, record.args = ": ".join(part for part in (first, *named[-1:]) if part), ()
        return True


class _OncePerPlace(logging.Filter):
    """Lets a place in the code speak once in ``_REPEAT_AFTER_S``, and says how often it was held back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        place = (record.pathname, record.lineno)
        last, held = self._said.get(place, (float("-inf"), 0))
        now = self._clock()
        if now - last < _REPEAT_AFTER_S:
            self._said[place] = (last, held + 1)
            return False
        self._said[place] = (now, 0)
        if held:
            record.msg, record.args = f"{record.getMessage()} (and {held} more like it)", ()
        return True


def _is_news(record: logging.LogRecord) -> bool:
    """False where DBOS names the function whose task was cancelled: only we cancel, and say so in words of ours."""
    return not record.getMessage().startswith("Asyncio task cancelled for workflow")


def configure_logging(log_format: str, level: str, *, tracebacks: bool, secrets: Sequence[str] = ()) -> None:
    """Set up all loggers of this process.

    Args:
        log_format: ``json`` or ``console``.
        level: ``debug``, ``info``, ``warning`` or ``error``.
        tracebacks: show where an exception was raised, not only what it says.
        secrets: texts that never appear.

    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    exceptions = structlog.processors.format_exc_info if tracebacks else _what_it_says
    last = structlog.processors.JSONRenderer() if log_format == "json" else _console()
    handler = _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                exceptions,
                _masking(secrets),
                last,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    noisy = logging.getLogger(_NOISY_LOGGER)
    if level != "debug":
        for name in (_NOISY_LOGGER, "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)  # what they do between is of no use to who runs it
    noisy.handlers, noisy.propagate = [handler], False
    noisy.filters = [_OncePerPlace()] if tracebacks else [_is_news, _FirstLine(), _OncePerPlace()]


def _console() -> Any:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )


def _what_it_says(_logger: Any, _method: str, event: _Event) -> _Event:
    """The exception in one line instead of its traceback."""
    info = event.pop("exc_info", None)
    error = info[1] if isinstance(info, tuple) else info if isinstance(info, BaseException) else sys.exc_info()[1]
    if info and error is not None:
        event["error"] = f"{type(error).__name__}: {error}"
    return event


def _as_written(secret: str) -> str:
    """A pattern for a secret itself and for how JSON and ``repr`` write it, however often one into the other.

    All that these add are backslashes and numbers of characters, so a run of backslashes is one, however long.
    """
    pattern, behind_run = "", False
    for character in re.sub(r"\\+", r"\\", secret):
        if character == "\\":
            pattern += _BACKSLASHES
        else:
            units = json.dumps(character)[1:-1].lstrip("\\").split("\\")  # two of them for what is beyond 16 bits
            escaped = _BACKSLASHES.join(map(re.escape, units))
            pattern += f"(?:{re.escape(character)}|{'' if behind_run else _BACKSLASHES}{escaped})"
        behind_run = character == "\\"
    return pattern


def _masking(secrets: Sequence[str]) -> Callable[[Any, str, _Event], _Event]:
    longest_first = sorted((secret for secret in secrets if secret), key=len, reverse=True)
    hidden = [re.compile(_as_written(secret)) for secret in longest_first]

    def mask_text(text: str) -> str:
        for secret in hidden:
            text = secret.sub(MASK, text)
        return _API_KEY.sub(MASK, _URL_PASSWORD.sub(rf"\1{MASK}\2", text))

    def mask(_logger: Any, _method: str, event: _Event) -> _Event:
        for key, value in event.items():
            if isinstance(value, str):
                event[key] = mask_text(value)
            elif not isinstance(value, bool | int | float | None):
                event[key] = mask_text(str(value))
        return event

    return mask

"""One formatter for our log lines and those of libraries. Logs go to stderr; stdout is for results."""

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
_NOISY_LOGGER = "dbos"  # logs about a hundred lines per second while its database is down
_REPEAT_AFTER_S = 30.0
_BACKSLASHES = r"(?<!\\)\\++"

_Event = MutableMapping[str, Any]


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to the current ``sys.stderr``, so that a live display can print lines above itself."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override] # deliberately a property
        return sys.stderr


class _FirstLine(logging.Filter):
    """Keeps the first line of a message, without tracebacks and explanations that a library has put into it."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        lines = message.partition("Traceback (most recent call last):")[0].strip().splitlines()
        first = lines[0].rstrip(": ") if lines else ""
        if first != message:
            named = _NAMED_ERROR.findall(message) if "Traceback (most" in message else []
            record.msg, record.args = ": ".join(part for part in (first, *named[-1:]) if part), ()
        return True


class _OncePerPlace(logging.Filter):
    """Lets each place in the code log once per ``_REPEAT_AFTER_S``, with the number of lines suppressed since."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._logged: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        place = (record.pathname, record.lineno)
        last, suppressed = self._logged.get(place, (float("-inf"), 0))
        now = self._clock()
        if now - last < _REPEAT_AFTER_S:
            self._logged[place] = (last, suppressed + 1)
            return False
        self._logged[place] = (now, 0)
        if suppressed:
            record.msg, record.args = f"{record.getMessage()} ({suppressed} similar lines suppressed)", ()
        return True


def _is_news(record: logging.LogRecord) -> bool:
    """False for DBOS's line about a cancelled task: only we cancel tasks, and we log that ourselves."""
    return not record.getMessage().startswith("Asyncio task cancelled for workflow")


def configure_logging(log_format: str, level: str, *, tracebacks: bool, secrets: Sequence[str] = ()) -> None:
    """Set up all loggers of this process.

    Args:
        log_format: ``json`` or ``console``.
        level: ``debug``, ``info``, ``warning`` or ``error``.
        tracebacks: log the traceback of an exception, not only its message.
        secrets: texts to mask.

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
    exceptions = structlog.processors.format_exc_info if tracebacks else _exception_line
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
            logging.getLogger(name).setLevel(logging.WARNING)  # their progress is of no use to the operator
    noisy.handlers, noisy.propagate = [handler], False
    noisy.filters = [_OncePerPlace()] if tracebacks else [_is_news, _FirstLine(), _OncePerPlace()]


def _console() -> Any:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )


def _exception_line(_logger: Any, _method: str, event: _Event) -> _Event:
    """Replace the traceback by one line."""
    info = event.pop("exc_info", None)
    error = info[1] if isinstance(info, tuple) else info if isinstance(info, BaseException) else sys.exc_info()[1]
    if info and error is not None:
        event["error"] = f"{type(error).__name__}: {error}"
    return event


def _as_written(secret: str) -> str:
    """A pattern for a secret as it is, and as JSON and ``repr`` escape it, however deeply nested.

    Escaping adds only backslashes and character codes, so the pattern accepts a run of backslashes of any length.
    """
    pattern, behind_run = "", False
    for character in re.sub(r"\\+", r"\\", secret):
        if character == "\\":
            pattern += _BACKSLASHES
        else:
            units = json.dumps(character)[1:-1].lstrip("\\").split("\\")  # two for characters beyond 16 bits
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

"""Whether a process can do its work now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Check = Callable[[], Awaitable[bool]]
"""Whether something is as it should be; may raise, which means no."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Health:
    """What came of the checks, by name."""

    checks: Mapping[str, bool]

    @property
    def ready(self) -> bool:
        """Whether all are well."""
        return all(self.checks.values())


class Readiness:
    """Several checks at once, none of them longer than ``seconds``."""

    def __init__(self, checks: Mapping[str, Check], *, seconds: float = 1.5) -> None:
        self._checks = dict(checks)
        self._seconds = seconds

    async def look(self) -> Health:
        """The present state. Why something is not well goes to the log, not to whoever asks."""
        found = await asyncio.gather(*(self._one(name, check) for name, check in self._checks.items()))
        return Health(dict(zip(self._checks, found, strict=True)))

    async def _one(self, name: str, check: Check) -> bool:
        try:
            async with asyncio.timeout(self._seconds):
                return await check()
        except Exception as error:  # noqa: BLE001 - whatever it is: not well
            _log.info("The check %s failed: %s %s", name, type(error).__name__, error)
            return False

"""Readiness checks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

Check = Callable[[], Awaitable[bool]]
"""Whether something works. An exception means no."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Health:
    """The results of the checks, by name."""

    checks: Mapping[str, bool]

    @property
    def ready(self) -> bool:
        """Whether all checks passed."""
        return all(self.checks.values())


class Readiness:
    """Runs checks concurrently, each for at most ``seconds``."""

    def __init__(self, checks: Mapping[str, Check], *, seconds: float = 1.5) -> None:
        self._checks = dict(checks)
        self._seconds = seconds

    async def check(self) -> Health:
        """Run all checks. Why one failed is logged and not returned."""
        found = await asyncio.gather(*(self._one(name, check) for name, check in self._checks.items()))
        return Health(dict(zip(self._checks, found, strict=True)))

    async def _one(self, name: str, check: Check) -> bool:
        try:
            async with asyncio.timeout(self._seconds):
                return await check()
        except Exception as error:  # noqa: BLE001 - any exception means failed
            _log.info("The check %s failed: %s %s", name, type(error).__name__, error)
            return False

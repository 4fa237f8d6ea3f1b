"""For tests whose calls have to fall on one day, in UTC, by the clock of a real database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

_LONG_ENOUGH_S = 60


async def stay_within_one_day() -> None:
    """Return at once, but in the day's last minute: then when it is over."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=23, minute=59, second=59, microsecond=999_999)
    left = (midnight - now).total_seconds()
    if left < _LONG_ENOUGH_S:
        await asyncio.sleep(left + 0.1)

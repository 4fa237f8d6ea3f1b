"""The progress of a call while its reply streams: an event every two seconds, with an estimate of its tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from combine.llm.protocol import Progress
from combine.storage.core.database import Database, WriteSession
from combine.storage.events import Events

REPORT_EVERY_S = 2.0


class Telemetry:
    """Writes the progress of calls as events."""

    def __init__(self, database: Database, *, every_s: float = REPORT_EVERY_S) -> None:
        self._database = database
        self._every_s = every_s

    @asynccontextmanager
    async def call(self, execution_id: UUID, step_id: str) -> AsyncIterator[Callable[[Progress], None]]:
        """Pass the yielded function to the provider; its latest progress is written every ``every_s`` seconds."""
        latest: list[Progress] = []
        reporter = asyncio.create_task(self._report(execution_id, step_id, latest))
        try:
            yield lambda progress: latest.__setitem__(slice(None), [progress])
        finally:
            reporter.cancel()
            await asyncio.gather(reporter, return_exceptions=True)

    async def _report(self, execution_id: UUID, step_id: str, latest: list[Progress]) -> None:
        written: Progress | None = None
        while True:
            await asyncio.sleep(self._every_s)
            if not latest or latest[0] == written:
                continue
            written = latest[0]
            data: dict[str, Any] = {
                "output_tokens_estimated": written.output_tokens,
                "attempt": written.attempt,
                "waiting_s": written.waiting_s,
                "reason": written.reason,
            }

            async def write(session: WriteSession, data: dict[str, Any] = data) -> None:
                await Events(session).append(execution_id, "call_progress", step_id, data)

            await self._database.transact(write)

"""The advisory locks of PostgreSQL that the processes share. The numbers are the same in every version."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from combine.storage.core.database import ReadSession

MIGRATION: Final = 0x636F6D62696E65
RECOVERY: Final = 7_261_001
ENGINE_LAUNCH: Final = 7_261_002
"""DBOS migrates its own tables when it starts."""
OUTAGE_RELEASE: Final = 7_261_003
OUTAGE_SCHEDULE: Final = 7_261_004
"""Used with the hash of what the executions wait for."""

_TRY = sa.text("SELECT pg_try_advisory_xact_lock(:key)")


async def try_lock(session: ReadSession, key: int) -> bool:
    """Take the lock until the end of the transaction; False if another process has it."""
    return bool((await session.connection.execute(_TRY, {"key": key})).scalar_one())

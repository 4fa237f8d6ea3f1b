"""Idempotency keys for starting executions."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from combine.errors import Conflict
from combine.storage.core.database import WriteSession

_NOBODY = UUID(int=0)
"""Used for the command line, which has no user."""

# A concurrent second request waits in the insert until the first has committed, and then sees its row. Some of the
# user's expired keys are deleted as well; those locked by another request are skipped.
_CLAIM = sa.text("""
WITH over AS (
  SELECT key FROM idempotency_keys
  WHERE user_id = :user_id AND key <> :key AND created_at < clock_timestamp() - interval '1 day'
  LIMIT 100 FOR UPDATE SKIP LOCKED
), swept AS (
  DELETE FROM idempotency_keys WHERE user_id = :user_id AND key IN (SELECT key FROM over)
)
INSERT INTO idempotency_keys AS k (user_id, key, request_sha256, execution_id)
VALUES (:user_id, :key, :request_sha256, :execution_id)
ON CONFLICT (user_id, key) DO UPDATE
  SET request_sha256 = excluded.request_sha256, execution_id = excluded.execution_id, created_at = clock_timestamp()
  WHERE k.created_at < clock_timestamp() - interval '1 day'
RETURNING execution_id
""")
_FOUND = sa.text("SELECT request_sha256, execution_id FROM idempotency_keys WHERE user_id = :user_id AND key = :key")


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key and the start it is used for."""

    user_id: UUID | None
    key: str
    request_sha256: str
    """Hash of the whole request."""
    execution_id: UUID
    """The execution to start. Generated before the transaction, so that a retry claims the same id."""


class IdempotencyKeys:
    """Statements in the caller's transaction."""

    def __init__(self, session: WriteSession) -> None:
        self._connection = session.connection

    async def claim(self, use: KeyUse) -> UUID | None:
        """Claim the key for this execution. Returns the execution that already has it, if any.

        Raises Conflict if it was used for another request.
        """
        values = {
            "user_id": use.user_id or _NOBODY,
            "key": use.key,
            "request_sha256": use.request_sha256,
            "execution_id": use.execution_id,
        }
        if (await self._connection.execute(_CLAIM, values)).first() is not None:
            return None
        row = (await self._connection.execute(_FOUND, {"user_id": values["user_id"], "key": use.key})).one()
        if row.request_sha256 != use.request_sha256:
            raise Conflict(
                "This Idempotency-Key was already used for a different request.",
                code="idempotency_key_reused",
                hint="Use a new key for each start, and the same key only to retry the same request.",
            )
        found: UUID = row.execution_id
        return None if found == use.execution_id else found

"""Writes one row of the audit log, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from combine.auth.permissions import Actor
from combine.storage.core.database import WriteSession
from combine.storage.people.audit import Audit


async def record_audit(
    session: WriteSession,
    actor: Actor,
    action: str,
    *,
    project_id: UUID | None = None,
    object_: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Record who did ``action`` (a name from ``docs/reference/audit.md``) to which object. No secrets in ``data``."""
    await Audit(session).add(
        action,
        user_id=actor.user_id,
        token_id=actor.token_id,
        project_id=project_id,
        object_=object_,
        data=data,
    )

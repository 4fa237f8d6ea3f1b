"""Which projects a query may show. Reads on behalf of a person must pass one; there is no default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from combine.storage.core.tables import project_members


@dataclass(frozen=True, slots=True)
class Visibility:
    """The projects of one user, or all."""

    user_id: UUID | None
    """None: every project."""

    def of(self, project_id: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        """A condition for ``project_id``, a column or an expression."""
        if self.user_id is None:
            return sa.true()
        mine = sa.select(project_members.c.project_id).where(project_members.c.user_id == self.user_id)
        return project_id.in_(mine)


EVERYTHING = Visibility(None)
"""For internal use, and for users who may see all projects."""

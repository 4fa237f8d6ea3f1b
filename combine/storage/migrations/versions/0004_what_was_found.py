"""What an execution found in its project when it began."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "executions",
        sa.Column(
            "previous_ids",
            postgresql.ARRAY(sa.UUID()),
            nullable=True,
            comment="active versions when it began, or those of its source when it was forked; null: not begun",
        ),
    )
    op.add_column(
        "executions",
        sa.Column(
            "used_before",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="[type, prefix, highest number] of all IDs used in the project before it began",
        ),
    )


def downgrade() -> None:
    op.drop_column("executions", "used_before")
    op.drop_column("executions", "previous_ids")

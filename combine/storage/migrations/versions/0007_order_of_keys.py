"""Documents keep the order of their keys, which JSONB does not."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Documents of older programs, also of one that runs at the same time, have none."""
    op.add_column(
        "documents",
        sa.Column(
            "ordered_content",
            postgresql.JSON(astext_type=sa.Text()),
            comment="content with its keys in order; null if stored by an older version",
        ),
    )


def downgrade() -> None:
    """The order is lost; older programs put keys in the order of the schema."""
    op.drop_column("documents", "ordered_content")

"""Calls keep, by hash, what their prompt was rendered from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Calls of older programs, also of one that runs at the same time, have none."""
    op.add_column(
        "llm_calls",
        sa.Column(
            "input_sha256", sa.Text, comment="what the prompt was rendered from; null if stored by an older version"
        ),
    )


def downgrade() -> None:
    """The blobs stay; nothing refers to them."""
    op.drop_column("llm_calls", "input_sha256")

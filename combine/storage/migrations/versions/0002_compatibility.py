"""The oldest schema version whose program may continue to work next to newer ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table = op.create_table(
        "compatibility",
        sa.Column("oldest_revision", sa.Text(), nullable=False),
        comment="One row. A migration that removes something that older versions use sets it to its own revision.",
    )
    op.bulk_insert(table, [{"oldest_revision": "0001"}])


def downgrade() -> None:
    op.drop_table("compatibility")

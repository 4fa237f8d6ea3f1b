"""Stores project names in Unicode's composed form, which searches use."""

from __future__ import annotations

from unicodedata import normalize

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_RENAME = sa.text("""
UPDATE projects SET name = :name WHERE id = :id AND NOT EXISTS (SELECT 1 FROM projects WHERE name = :name)
""")


def upgrade() -> None:
    """A project whose composed name is taken keeps its old name and can be found by its id."""
    connection = op.get_bind()
    # Not with PostgreSQL's normalize(), which requires a UTF-8 database.
    for id_, name in connection.execute(sa.text("SELECT id, name FROM projects")).all():
        if (regular := normalize("NFC", name)) != name:
            connection.execute(_RENAME, {"id": id_, "name": regular})


def downgrade() -> None:
    """Nothing to do: both forms are valid names."""

"""Names of projects in Unicode's composed form, in which they are looked for."""

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
    """One whose name another has in that form keeps its own, and is found by its id."""
    connection = op.get_bind()
    # Here, not by PostgreSQL's normalize(): that knows databases in UTF-8 only.
    for id_, name in connection.execute(sa.text("SELECT id, name FROM projects")).all():
        if (regular := normalize("NFC", name)) != name:
            connection.execute(_RENAME, {"id": id_, "name": regular})


def downgrade() -> None:
    """Both forms are names."""

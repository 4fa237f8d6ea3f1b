"""Names that people and programs use: settings, error codes, kinds of events, actions of the audit, columns."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import psycopg
from pydantic import AliasChoices
from shapes import on_record, pinned

from combine.settings import Settings

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable = 'YES' AS nullable, column_default IS NOT NULL
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
ORDER BY table_name, ordinal_position
"""


def test_the_settings_and_their_defaults():
    pinned("settings", {name: setting(name) for name in Settings.model_fields})


def setting(name: str) -> dict[str, Any]:
    field = Settings.model_fields[name]
    alias, default = field.validation_alias, field.get_default(call_default_factory=True)
    plain = default if isinstance(default, bool | int | str | None) else str(default)
    return {
        "variables": list(alias.choices) if isinstance(alias, AliasChoices) else [f"COMBINE_{name.upper()}"],
        "default": "<of the machine>" if name == "data_dir" else plain,
    }


def table_rows(page: str) -> dict[str, list[str]]:
    """First column -> the words in code of the second, of all tables of a page that tests compare with the program."""
    rows = re.findall(r"^\| `([\w.]+)` \|(.*?)\|", (REFERENCE / page).read_text(encoding="utf-8"), re.MULTILINE)
    return {name: sorted(re.findall(r"`(\w+)`", cell)) for name, cell in rows}


def test_the_codes():
    pinned("error-codes", sorted(table_rows("errors.md")))


def test_the_kinds_of_events():
    pinned("event-kinds", table_rows("events.md"))


def test_the_actions_of_the_audit():
    text = (REFERENCE / "audit.md").read_text(encoding="utf-8")
    pinned("audit-actions", sorted(re.findall(r"^\| `(\w+\.\w+)` ", text, re.MULTILINE)))


def test_the_version_before_can_use_the_tables(database_url):
    """Tables and columns may be added; a new column of a known table must be nullable or have a default."""
    tables: dict[str, dict[str, str]] = {}
    optional = set()
    with psycopg.connect(database_url) as connection:
        for table, column, kind, nullable, has_default in connection.execute(COLUMNS):
            tables.setdefault(table, {})[column] = f"{kind}{' | null' if nullable else ''}"
            if nullable or has_default:
                optional.add((table, column))
    if os.environ.get("REWRITE_SHAPES"):
        pinned("database", tables)
    known = json.loads(on_record("database"))
    assert {t: {c: tables.get(t, {}).get(c) for c in columns} for t, columns in known.items()} == known
    added = {(table, column) for table, columns in known.items() for column in tables[table].keys() - columns.keys()}
    assert added <= optional

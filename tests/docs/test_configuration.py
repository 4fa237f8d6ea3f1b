"""docs/configuration.md has one true entry for each setting, and none for anything else."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from combine.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


class Entry(NamedTuple):
    variables: tuple[str, ...]
    default: str
    meaning: str


def entries():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    found = {}
    for row in rows:
        variables, setting, default, meaning = (cell.strip() for cell in row.strip("|").split(" | "))
        name = setting.strip("`")
        assert name not in found, f"{name} has two entries"
        found[name] = Entry(tuple(re.findall(r"`(\w+)`", variables)), default, meaning)
    return found


def variables_of(name: str, field: FieldInfo) -> tuple[str, ...]:
    if isinstance(field.validation_alias, AliasChoices):
        return tuple(str(choice) for choice in field.validation_alias.choices)
    return (f"COMBINE_{name.upper()}",)


def shown_default(name: str, field: FieldInfo) -> str:
    if name == "data_dir":
        return "the user's data folder"  # depends on the machine
    value = field.get_default(call_default_factory=True, validated_data={})
    match value:
        case None:
            return "none"
        case bool() | dict():
            return json.dumps(value)
        case tuple():
            return ", ".join(value) or "none"
        case timedelta():
            return f"{value.total_seconds():g} s"
        case _:
            return str(value)


def test_entries_and_settings_are_the_same_names():
    assert sorted(entries()) == sorted(Settings.model_fields)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_entry_says_the_variables_and_the_default(name):
    field = Settings.model_fields[name]
    entry = entries()[name]
    assert entry.variables == variables_of(name, field)
    assert entry.default == shown_default(name, field)
    assert entry.meaning.endswith(".")


@pytest.mark.parametrize(
    "name", sorted(n for n, f in Settings.model_fields.items() if "SecretStr" in str(f.annotation))
)
def test_secrets_are_marked(name):
    assert "Secret." in entries()[name].meaning

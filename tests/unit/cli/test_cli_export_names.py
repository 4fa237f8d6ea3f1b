"""A server cannot make a command write outside the folder that was named."""

from types import SimpleNamespace

import pytest

from combine.cli.files import write_export
from combine.errors import CombineError


def export_of(type_):
    return SimpleNamespace(document=SimpleNamespace(type=type_), json_text="{}", markdown="# Title")


@pytest.mark.parametrize(
    "type_", ["../project/.vscode/tasks", "/etc/x", "a/b", "..", "", ".hidden", "a\\b", "a\n", "-" * 3, "a" * 200]
)
def test_only_a_plain_name_becomes_a_file(tmp_path, type_):
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(CombineError) as caught:
        write_export(export_of(type_), folder, ("json", "md"))
    assert caught.value.code == "out_unwritable"
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]


def test_a_document_type_is_one(tmp_path):
    write_export(export_of("strategy-review"), tmp_path, ("json", "md"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["strategy-review.json", "strategy-review.md"]

from pathlib import Path

import pytest

from combine.cli.files import prepare_folder
from combine.cli.inputs import parse_answers, project_of, read_answers
from combine.errors import Invalid

YAML, JSON = Path("a.yaml"), Path("a.json")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Q-1: 250", "250"),
        ("Q-1: 1_000.50", "1_000.50"),
        ("Q-1: 12:30", "12:30"),
        ("Q-1: 2027-03-21", "2027-03-21"),
        ("Q-1: no", "no"),
        ("Q-1: true", "true"),
        ("Q-1: 007", "007"),
        ("Q-1: [a, b c]", "a; b c"),
        ("Q-1:\n  - a\n  - b", "a; b"),
        ('Q-1: "Zürich: 日本"', "Zürich: 日本"),
        ("Q-1: >\n  two\n  lines", "two lines"),
    ],
)
def test_yaml_values_stay_as_they_are_written(text, answer):
    assert parse_answers(text, YAML)["Q-1"].strip() == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"Q-1": 250}', "250"),
        ('{"Q-1": 1.50}', "1.50"),
        ('{"Q-1": true}', "yes"),
        ('{"Q-1": false}', "no"),
        ('{"Q-1": ["a", "b"]}', "a; b"),
        ('{"Q-1": "\\ud83d\\ude00"}', "\U0001f600"),
    ],
)
def test_json_values(text, answer):
    assert parse_answers(text, JSON) == {"Q-1": answer}


@pytest.mark.parametrize(
    ("text", "path", "where"),
    [
        ("", YAML, "mapping"),
        ("- a\n- b", YAML, "mapping"),
        ("just words", YAML, "mapping"),
        ("Q-1: [unclosed", YAML, "line 1"),
        ("Q-1: a\nQ-1: b", YAML, "'Q-1'.*twice"),
        ("Q-1:", YAML, "'Q-1'.*empty"),
        ("Q-1: ~", YAML, "'Q-1'.*empty"),
        ("Q-1: {a: b}", YAML, "'Q-1'.*list"),
        ("Q-1: [[a]]", YAML, "'Q-1'.*list"),
        ("? [a]\n: b", YAML, "line 1"),
        ("&a Q-1: *b", YAML, "YAML"),
        ("Q-1: a\x00b", YAML, "YAML"),
        ('Q-1: "a\\0b"', YAML, "'Q-1'.*characters"),
        ("[" * 5000, YAML, "YAML|deeply"),
        ("[1, 2]", JSON, "object"),
        ("{", JSON, "line 1, column 2"),
        ('{"Q-1": null}', JSON, "'Q-1'.*empty"),
        ('{"Q-1": "\\ud800"}', JSON, "'Q-1'.*characters"),
        ('{"Q-1": {"a": "b"}}', JSON, "'Q-1'.*list"),
        ('{"": "b"}', JSON, "question"),
    ],
)
def test_what_cannot_be_used_is_located(text, path, where):
    with pytest.raises(Invalid, match=where) as refused:
        parse_answers(text, path)
    assert refused.value.code == "answers_invalid"
    assert str(path) in refused.value.message
    assert "Q-1: 250" in refused.value.hint


def test_an_answers_file_that_is_not_text(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes("Q-1: Zürich".encode("latin-1"))
    with pytest.raises(Invalid, match="byte 6"):
        read_answers(path)
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(Invalid, match="1 MB"):
        read_answers(path)
    path.write_bytes(b"\xef\xbb\xbfQ-1: a")
    assert read_answers(path) == {"Q-1": "a"}


def test_the_project_is_named_after_the_brief():
    assert project_of("/some/where/my brief.md") == "my brief"
    assert project_of("-") == "default"


def test_the_folder_is_made(tmp_path):
    prepare_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Invalid) as refused:
        prepare_folder(tmp_path / "file" / "folder")
    assert refused.value.code == "out_unwritable"
    assert "--out" in refused.value.hint

from pathlib import Path

import pytest

from combine.cli.inputs import parse_answers, prepare_folder, project_of, read_answers
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
    ("text", "path", "words"),
    [
        ("", YAML, "no mapping"),
        ("- a\n- b", YAML, "no mapping"),
        ("just words", YAML, "no mapping"),
        ("Q-1: [unclosed", YAML, "line 1"),
        ("Q-1: a\nQ-1: b", YAML, "twice"),
        ("Q-1:", YAML, "no answer"),
        ("Q-1: ~", YAML, "no answer"),
        ("Q-1: {a: b}", YAML, "neither a text nor a list"),
        ("Q-1: [[a]]", YAML, "neither a text nor a list"),
        ("? [a]\n: b", YAML, "names no question"),
        ("&a Q-1: *b", YAML, "not YAML"),
        ("Q-1: a\x00b", YAML, "not YAML"),
        ('Q-1: "a\\0b"', YAML, "no text"),
        ("[" * 5000, YAML, "not YAML|deeply"),
        ("[1, 2]", JSON, "no object"),
        ("{", JSON, "line 1, column 2"),
        ('{"Q-1": null}', JSON, "no answer"),
        ('{"Q-1": "\\ud800"}', JSON, "no text"),
        ('{"Q-1": {"a": "b"}}', JSON, "neither a text nor a list"),
        ('{"": "b"}', JSON, "no question"),
    ],
)
def test_what_cannot_be_used_is_named(text, path, words):
    with pytest.raises(Invalid, match=words):
        parse_answers(text, path)


def test_an_answers_file_that_is_not_text(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes("Q-1: Zürich".encode("latin-1"))
    with pytest.raises(Invalid, match="not UTF-8 at byte 6"):
        read_answers(path)
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(Invalid, match="more than 1 MB"):
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
    with pytest.raises(Invalid, match="cannot be written"):
        prepare_folder(tmp_path / "file" / "folder")

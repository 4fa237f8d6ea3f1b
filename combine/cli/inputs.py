"""Reads the files given to a command: the brief and the answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from combine.brief.brief import Brief
from combine.brief.reading import MAX_BRIEF_BYTES, decode_brief, split_brief
from combine.cli.runtime import say
from combine.errors import Invalid
from combine.formats import is_storable

STDIN = "-"
_MAX_ANSWERS_BYTES = 1024 * 1024
_ANSWERS_HINT = "Use YAML or JSON: {question ID or text: answer}, for example `Q-1: 250`."


def read_brief(path: str) -> Brief:
    """Read the brief from a file, or from standard input if the path is ``-``. Raises Invalid."""
    if path == STDIN:
        if sys.stdin.isatty():
            say("Enter the brief; finish with Ctrl-D on an empty line.")
        return split_brief(decode_brief(sys.stdin.buffer.read(MAX_BRIEF_BYTES + 1)))
    return split_brief(decode_brief(_read(Path(path), "brief", MAX_BRIEF_BYTES + 1)))


def project_of(path: str) -> str:
    """The default project of a brief: its file name without the extension; bytes that are not UTF-8 are replaced."""
    return "default" if path == STDIN else Path(path).stem.encode(errors="surrogateescape").decode(errors="replace")


def read_answers(path: Path) -> dict[str, str]:
    """Question id or text -> answer; numbers, dates, yes and no stay as written, lists are joined by ``; ``.

    Raises Invalid that names the file and the position.
    """
    data = _read(path, "answers file", _MAX_ANSWERS_BYTES + 1)
    if len(data) > _MAX_ANSWERS_BYTES:
        raise _bad(path, "it is larger than 1 MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(path, f"it is not valid UTF-8 at byte {error.start}") from None
    return parse_answers(text, path)


def parse_answers(text: str, path: Path) -> dict[str, str]:
    """The same for a text, read as JSON if the path ends in ``.json``, and as YAML otherwise. Pure."""
    pairs = _json_pairs(text, path) if path.suffix.lower() == ".json" else _yaml_pairs(text, path)
    answers: dict[str, str] = {}
    for name, answer in pairs:
        if not name.strip() or not answer.strip():
            raise _bad(path, f"the answer to {name!r} is empty" if name.strip() else "a question is empty")
        if not is_storable(name + answer):
            raise _bad(path, f"the answer to {name!r} contains control characters")
        if name in answers:
            raise _bad(path, f"{name!r} is answered twice")
        answers[name] = answer
    return answers


def _read(path: Path, what: str, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except (OSError, ValueError) as error:
        reason = f"Cannot read the {what} {path}: {getattr(error, 'strerror', None) or error}."
        if isinstance(error, FileNotFoundError):
            reason = f"The {what} {path} does not exist."
        elif isinstance(error, IsADirectoryError):
            reason = f"The {what} {path} is a directory, not a file."
        raise Invalid(reason, code="file_unreadable", hint="Specify the path of a text file.") from None


def _yaml_pairs(text: str, path: Path) -> Iterator[tuple[str, str]]:
    # Reads only the nodes, so that every value stays as written; a YAML loader would turn 12:30 into the number 750.
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise _bad(path, f"it is not valid YAML: {error.problem or error.context}{where}") from None
    except yaml.YAMLError as error:
        raise _bad(path, f"it is not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise _bad(path, "it is nested too deeply") from None
    if not isinstance(node, yaml.MappingNode):
        raise _bad(path, "it must be a mapping of questions to answers")
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _bad(path, f"line {key.start_mark.line + 1}: a question must be a string")
        parts = value.value if isinstance(value, yaml.SequenceNode) else [value]
        if not all(isinstance(part, yaml.ScalarNode) for part in parts):
            raise _bad(path, f"the answer to {key.value!r} must be a string or a list of strings")
        yield str(key.value), "; ".join(_yaml_text(part) for part in parts)


def _yaml_text(node: yaml.ScalarNode) -> str:
    return "" if node.tag.endswith(":null") else str(node.value)


def _json_pairs(text: str, path: Path) -> Iterator[tuple[str, str]]:
    try:
        found = json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        raise _bad(path, f"it is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise _bad(path, "it is nested too deeply") from None
    # An object is now a list of tuples.
    if not isinstance(found, list) or not all(isinstance(pair, tuple) for pair in found):
        raise _bad(path, "it must be an object of questions and answers")
    for name, value in found:
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, str | bool | None) for part in parts):
            raise _bad(path, f"the answer to {name!r} must be a string or a list of strings")
        yield name, "; ".join(_json_text(part) for part in parts)


def _json_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _bad(path: Path, why: str) -> Invalid:
    return Invalid(f"Cannot use the answers in {path}: {why}.", code="answers_invalid", hint=_ANSWERS_HINT)

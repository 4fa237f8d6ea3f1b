"""What a person gives as files: the brief, answers, and the folder for the documents."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from combine.brief.brief import Brief
from combine.brief.reading import MAX_BRIEF_BYTES, decode_brief, split_brief
from combine.cli.runtime import say
from combine.cli.texts import readable
from combine.errors import Invalid
from combine.formats import is_storable

STDIN = "-"
_MAX_ANSWERS_BYTES = 1024 * 1024
_ANSWERS_FORM = "Write YAML or JSON: {question id or text: answer}, for example `Q-1: 250`."


def read_brief(place: str) -> Brief:
    """The brief in a file, or on standard input for ``-``. Raises Invalid."""
    if place == STDIN:
        if sys.stdin.isatty():
            say("Type or paste the brief; end with Ctrl-D on a line of its own.")
        return split_brief(decode_brief(sys.stdin.buffer.read(MAX_BRIEF_BYTES + 1)))
    return split_brief(decode_brief(_read(Path(place), "brief", MAX_BRIEF_BYTES + 1)))


def project_of(place: str) -> str:
    """The project that is meant if none is named: the brief's file name without its ending."""
    return "default" if place == STDIN else readable(Path(place).stem)


def read_answers(path: Path) -> dict[str, str]:
    """Question id or text -> answer; numbers, dates, yes and no as they are written, lists joined by ``; ``.

    Raises Invalid that names the place.
    """
    data = _read(path, "answers file", _MAX_ANSWERS_BYTES + 1)
    if len(data) > _MAX_ANSWERS_BYTES:
        raise _bad(path, "it has more than 1 MB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(path, f"it is not UTF-8 at byte {error.start}") from None
    return parse_answers(text, path)


def parse_answers(text: str, path: Path) -> dict[str, str]:
    """The same, of a text; a name that ends in ``.json`` makes it JSON, any other YAML. Pure."""
    pairs = _json_pairs(text, path) if path.suffix.lower() == ".json" else _yaml_pairs(text, path)
    answers: dict[str, str] = {}
    for name, answer in pairs:
        if not name.strip() or not answer.strip():
            raise _bad(path, f"{name!r} has no answer" if name.strip() else "an answer has no question")
        if not is_storable(name + answer):
            raise _bad(path, f"the answer to {name!r} holds characters that are no text")
        if name in answers:
            raise _bad(path, f"{name!r} stands there twice")
        answers[name] = answer
    return answers


def prepare_folder(folder: Path) -> None:
    """Make the folder for the documents and see that files can be made in it. Raises Invalid."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise Invalid(
            f"The documents cannot be written to {folder}: {error.strerror}.",
            code="out_unwritable",
            hint="Give --out a folder that you may write to.",
        ) from None


def _read(path: Path, what: str, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except (OSError, ValueError) as error:
        reason = f"The {what} {path} cannot be read: {getattr(error, 'strerror', None) or error}."
        if isinstance(error, FileNotFoundError):
            reason = f"There is no {what} {path}."
        elif isinstance(error, IsADirectoryError):
            reason = f"The {what} {path} is a folder, not a file."
        raise Invalid(reason, code="file_unreadable", hint="Give the path of a text file.") from None


def _yaml_pairs(text: str, path: Path) -> Iterator[tuple[str, str]]:
    # Only the nodes are read: every value stays as it was written, where YAML would make 12:30 the number 750.
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise _bad(path, f"it is not YAML: {error.problem or error.context}{where}") from None
    except yaml.YAMLError as error:
        raise _bad(path, f"it is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise _bad(path, "it is nested too deeply") from None
    if not isinstance(node, yaml.MappingNode):
        raise _bad(path, "it is no mapping of questions to answers")
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _bad(path, f"line {key.start_mark.line + 1} names no question")
        parts = value.value if isinstance(value, yaml.SequenceNode) else [value]
        if not all(isinstance(part, yaml.ScalarNode) for part in parts):
            raise _bad(path, f"the answer to {key.value!r} is neither a text nor a list of texts")
        yield str(key.value), "; ".join(_yaml_text(part) for part in parts)


def _yaml_text(node: yaml.ScalarNode) -> str:
    return "" if node.tag.endswith(":null") else str(node.value)


def _json_pairs(text: str, path: Path) -> Iterator[tuple[str, str]]:
    try:
        found = json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        raise _bad(path, f"it is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise _bad(path, "it is nested too deeply") from None
    # An object has become a list of pairs, which a list of pairs in the text cannot be told from; both are fine.
    if not isinstance(found, list) or not all(isinstance(pair, tuple) for pair in found):
        raise _bad(path, "it is no object of questions and answers")
    for name, value in found:
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, str | bool | None) for part in parts):
            raise _bad(path, f"the answer to {name!r} is neither a text nor a list of texts")
        yield name, "; ".join(_json_text(part) for part in parts)


def _json_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _bad(path: Path, why: str) -> Invalid:
    return Invalid(f"The answers in {path} cannot be used: {why}.", code="answers_invalid", hint=_ANSWERS_FORM)

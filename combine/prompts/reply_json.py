"""Finding the JSON in a reply, in bounded time and with a code for everything that can be wrong."""

from __future__ import annotations

import json
import math
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from combine.documents.findings import Finding, Severity, fault, shown, storable
from combine.documents.items import MAX_DEPTH
from combine.formats import is_storable

MAX_REPLY_CHARS = 200_000
"""Longer replies are rejected; documents are far shorter."""
MAX_ATTEMPTS = 100
"""How many opening braces are tried in text that is not JSON as a whole."""
MAX_FAULTS = 30
"""Maximum number of reported errors of form."""


@dataclass(frozen=True, slots=True)
class ReadJson:
    """What was read: the object (None if there is none) and the faults of its form."""

    value: dict[str, Any] | None
    findings: tuple[Finding, ...] = ()


def read_object(text: str, document_type: str, is_wanted: Callable[[Mapping[str, Any]], bool]) -> ReadJson:
    """The last JSON object of the text that ``is_wanted``, else the last one. The value can always be stored."""
    text = text.strip().removeprefix("\ufeff").lstrip()
    problem: tuple[str, str] | None = None
    reads: list[_Read] = []
    is_whole = False
    if not text:
        problem = ("reply_empty", "The reply is empty: return the JSON object.")
    elif len(text) > MAX_REPLY_CHARS:
        message = f"The reply has {len(text)} characters, more than {MAX_REPLY_CHARS}: write a much shorter document."
        problem = ("reply_too_large", message)
    else:
        try:
            reads, is_whole = _objects(text)
        except RecursionError:
            problem = ("reply_too_deep", "The JSON is nested too deeply: follow the schema.")
    read = next((r for r in reversed(reads) if isinstance(r.value, dict) and is_wanted(r.value)), None)
    if read is None or not (is_whole and text.startswith("{")):  # otherwise there is nothing to report
        problem = problem or _why_unreadable(text, reads, wanted=read is not None)
    if problem:
        code, message = problem
        found = shown(text[-200:] if code == "reply_truncated" else text) if text else None
        return ReadJson(None, (fault(Severity.CRITICAL, code, document_type, message, found=found),))
    return _checked(read or reads[-1], document_type)


@dataclass(frozen=True, slots=True)
class _Read:
    value: Any
    repeated: tuple[str, ...]
    constants: tuple[str, ...]


def _objects(text: str) -> tuple[list[_Read], bool]:
    """The whole text as one JSON value (and True), or the objects it contains, one after the other."""
    try:
        read, end = _decode(text, 0)
    except ValueError:
        pass
    else:
        if not text[end:].strip():
            return [read], True
    reads: list[_Read] = []
    at, attempts = text.find("{"), 0
    while at >= 0 and attempts < MAX_ATTEMPTS:
        try:
            read, at = _decode(text, at)
            reads.append(read)
        except ValueError:
            attempts += 1
            at += 1
        at = text.find("{", at)
    return reads, False


def _decode(text: str, at: int) -> tuple[_Read, int]:
    repeated: list[str] = []
    constants: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(found)
        if len(value) < len(found):
            repeated.extend(name for name, count in Counter(name for name, _ in found).items() if count > 1)
        return value

    # strict=False lets line ends inside strings pass: small local models write them
    decoder = json.JSONDecoder(object_pairs_hook=pairs, parse_constant=constants.append, strict=False)
    value, end = decoder.raw_decode(text, at)
    return _Read(value, tuple(repeated), tuple(constants)), end


def _why_unreadable(text: str, reads: list[_Read], *, wanted: bool) -> tuple[str, str] | None:
    """Code and message if no object of the reply can be used; else None."""
    if _is_cut(text) and (not wanted or text.startswith(("{", "`"))):
        message = "The reply ends in the middle of the JSON: return the whole object, with shorter texts."
        return "reply_truncated", message
    if not reads:
        return "reply_not_json", f"The reply is not JSON ({_reason(text)}): return one JSON object and nothing else."
    if not isinstance(reads[-1].value, dict):
        return "reply_not_object", "The reply is JSON but no object: return one JSON object."
    return None


def _reason(text: str) -> str:
    start = max(0, text.find("{"))
    try:
        json.JSONDecoder(strict=False).raw_decode(text, start)
    except ValueError as error:
        return shown(str(error), 120)
    return "no object"


def _is_cut(text: str) -> bool:
    """Whether the first object of the text never closes."""
    depth, in_string, escaped = 0, False, False
    for char in text[max(0, text.find("{")) :]:
        if in_string:
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            in_string = True
        elif char in "{[":
            depth += 1
        elif char in "}]":
            depth -= 1
            if depth == 0:
                return False
    return depth > 0


def _checked(read: _Read, document_type: str) -> ReadJson:
    """The value, and what it contains that JSON allows but we do not."""
    problems = [
        ("duplicate_key", f"The field {shown(n, 60)} stands twice in one object: write it once.", "$")
        for n in read.repeated
    ]
    problems += [
        ("not_a_number", f"{name} is no value: give a number or leave the field out.", "$") for name in read.constants
    ]
    value = read.value
    try:
        if not _is_clean(value):
            problems += _walk(value)
            value = storable(value)
    except RecursionError:
        problems = [
            ("reply_too_deep", f"The JSON is nested more than {MAX_DEPTH} levels deep: follow the schema.", "$")
        ]
        value = None
    findings = tuple(fault(Severity.CRITICAL, code, document_type, said, path=path) for code, said, path in problems)
    return ReadJson(value, findings[:MAX_FAULTS])


def _is_clean(value: Any) -> bool:
    """Whether ``_walk`` would report nothing. RecursionError if the nesting is too deep."""
    texts: list[str] = []
    return _collect_texts(value, 0, texts) and is_storable("\n".join(texts))


def _collect_texts(value: Any, depth: int, texts: list[str]) -> bool:
    """Add all texts and names inside a value; False if there is a number that cannot be stored."""
    if depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict):
        texts.extend(value)
        return all(_collect_texts(part, depth + 1, texts) for part in value.values())
    elif isinstance(value, list):
        return all(_collect_texts(part, depth + 1, texts) for part in value)
    return not isinstance(value, float) or math.isfinite(value)


def _walk(root: Any) -> list[tuple[str, str, str]]:
    """Values that cannot be stored; RecursionError if the nesting is too deep."""
    problems: list[tuple[str, str, str]] = []
    waiting = deque([(root, "$", 0)])
    character = "There are control characters here: write plain text."
    while waiting:
        value, path, depth = waiting.popleft()
        if depth > MAX_DEPTH:
            raise RecursionError
        if isinstance(value, dict):
            problems.extend(("bad_character", character, path) for name in value if not is_storable(name))
            waiting.extend((part, f"{path}.{name}", depth + 1) for name, part in value.items())
        elif isinstance(value, list):
            waiting.extend((part, f"{path}[{i}]", depth + 1) for i, part in enumerate(value))
        elif isinstance(value, float) and not math.isfinite(value):
            problems.append(("not_a_number", "This number is too large: give one that can be written out.", path))
        elif isinstance(value, str) and not is_storable(value):
            problems.append(("bad_character", character, path))
    return problems

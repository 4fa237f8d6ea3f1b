"""The shape of a workflow definition: the built-in JSON Schema, with its errors as sentences that say what to do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import combine.seed
from combine.documents.items import is_too_deep
from combine.documents.json_schema import MAX_NESTING, CompiledSchema, SchemaError
from combine.workflows.definitions import Fault

DEFINITION_SCHEMA = Path(combine.seed.__file__).parent / "schemas" / "workflow-definition.json"

_SHOWN_LENGTH = 60


def definition_schema() -> dict[str, Any]:
    """The JSON Schema of a workflow file."""
    schema: dict[str, Any] = json.loads(DEFINITION_SCHEMA.read_text(encoding="utf-8"))
    return schema


def shape_faults(raw: object) -> list[Fault]:
    """Every fault of shape in the order of the document; code ``one_output`` or ``schema``."""
    if is_too_deep(raw, MAX_NESTING):
        return [Fault("schema", "$", f"The file is nested deeper than {MAX_NESTING} levels; flatten it.")]
    errors = CompiledSchema(definition_schema()).errors(raw)
    found = [fault for error in errors for fault in _faults_of(error)]
    # The library reports each missing key as an error of its own.
    return sorted(dict.fromkeys(found), key=lambda fault: _place(fault.path))


def _faults_of(error: SchemaError) -> Iterable[Fault]:
    path, value = error.json_path, error.instance
    known: Mapping[str, Any] = error.node.get("properties", {})
    if error.keyword == "additionalProperties":
        yield from _unknown_keys(value, known, path)
    elif error.keyword == "required":
        yield from _missing_keys(error.wanted, value, known, path)
    elif error.keyword in {"minItems", "maxItems"} and path.endswith(".outputs"):
        message = (
            f"A step must have exactly one output, this one has {len(value)}; "
            "keep one type and add a step for each of the others."
        )
        yield Fault("one_output", path, message)
    else:
        yield Fault("schema", path, _sentence(error))


def _unknown_keys(value: Mapping[str, Any], known: Mapping[str, Any], path: str) -> Iterable[Fault]:
    for key in value:
        if key in known:
            continue
        near = get_close_matches(key, list(known), n=1, cutoff=0.5)
        advice = f"did you mean {near[0]!r}?" if near else "remove it; known keys: " + ", ".join(known) + "."
        place = f"{path}.{key}" if key.isidentifier() else f"{path}[{key!r}]"
        yield Fault("schema", place, f"Unknown key {key!r}; {advice}")


def _missing_keys(
    required: Iterable[str], value: Mapping[str, Any], known: Mapping[str, Any], path: str
) -> Iterable[Fault]:
    for key in required:
        if key not in value:
            said = known[key].get("description", "")
            yield Fault("schema", path, f"The key {key!r} is required. {said}".rstrip())


def _sentence(error: SchemaError) -> str:
    value, rule = error.instance, error.wanted
    count = len(value) if isinstance(value, str | list) else 0
    if error.keyword == "type":
        return f"{_shown(value)} must be {_TYPES.get(rule, rule)}."
    if error.keyword == "pattern" and rule == "\\S":
        return "The string must not be empty."
    if error.keyword == "pattern" and error.json_path.endswith(".fallback_model"):
        return f"{_shown(value)} is not a valid model; use PROVIDER:MODEL, for example anthropic:claude-sonnet-5-5."
    sentence = _SENTENCES.get(error.keyword, "{message}.")
    return sentence.format(shown=_shown(value), rule=rule, count=count, message=error.message)


_SENTENCES: Mapping[str, str] = {
    "pattern": "{shown} is not a valid name; use letters, digits, - and _, starting with a letter or digit.",
    "minItems": "The list must have at least one entry.",
    "maxItems": "The list has {count} entries; at most {rule} are allowed.",
    "uniqueItems": "The list has duplicates; list each type once.",
    "minimum": "{shown} is too small; it must be at least {rule}.",
    "maximum": "{shown} is too large; it must be at most {rule}.",
    "maxLength": "The string has {count} characters; at most {rule} are allowed.",
}

_TYPES: Mapping[str, str] = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "integer": "a whole number",
    "boolean": "true or false",
}


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "..."


def _place(path: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts ``$.steps[10]`` after ``$.steps[9]``."""
    parts = path.replace("]", "").replace("[", ".").split(".")
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)

"""Whether a user's schema can be used: valid JSON Schema 2020-12, every reference inside the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from combine.documents.items import is_too_deep
from combine.documents.json_schema import DIALECT, MAX_NESTING, CompiledSchema, compiled, positions
from combine.errors import Invalid
from combine.workflows.definitions import Fault
from combine.workflows.provider_schema import reply_schema

_META_SCHEMA = MappingProxyType({"$ref": DIALECT})


def schema_faults(schema: Mapping[str, Any]) -> list[Fault]:
    """Every reason why this schema cannot be used, each with the JSON path of the place.

    Codes: ``invalid_schema``; ``schema_unsupported`` for a valid schema that providers do not support.
    """
    if is_too_deep(schema, MAX_NESTING):
        return [_fault("$", f"The schema is nested deeper than {MAX_NESTING} levels; flatten it")]
    errors = compiled(_META_SCHEMA).errors(schema)
    if errors:
        errors.sort(key=lambda error: positions(schema, error.path))
        faults = (_fault(error.json_path, f"{error.message}") for error in errors)
        return list(dict.fromkeys(faults))  # each vocabulary of JSON Schema reports a wrong type
    return [*_top_faults(schema), *_deep_faults(schema)] or list(_unusable(schema))


def _unusable(schema: Mapping[str, Any]) -> Iterable[Fault]:
    """Errors of compiling it, or of making the schema for providers; ``ask`` gives the larger envelope."""
    try:
        CompiledSchema(schema)
        reply_schema(schema, ask=True)
    except Invalid as refused:
        yield Fault(refused.code, "$", f"{refused.message} {refused.hint or ''}".strip())


def _top_faults(schema: Mapping[str, Any]) -> Iterable[Fault]:
    dialect = schema.get("$schema", DIALECT)
    if str(dialect).rstrip("#") != DIALECT:
        yield _fault("$.$schema", f"Unsupported JSON Schema version; use {DIALECT}")
    if schema.get("type") != "object":
        yield _fault("$.type", 'A document must be an object; set "type": "object"')


def _deep_faults(schema: Mapping[str, Any]) -> Iterable[Fault]:
    for path, part in _parts("$", schema):
        pattern = part.get("pattern")
        if isinstance(pattern, str) and not _compiles(pattern):
            yield _fault(f"{path}.pattern", f"{pattern!r} is not a valid regular expression")
        for keyword in ("$ref", "$dynamicRef"):
            target = part.get(keyword)
            if isinstance(target, str) and not _resolves(schema, target):
                message = f"{target!r} does not exist in this file; refer to a part of it, e.g. '#/$defs/item'"
                yield _fault(f"{path}.{keyword}", message)


def _parts(path: str, value: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, Mapping):
        yield path, value
        for key, inner in value.items():
            yield from _parts(f"{path}.{key}", inner)
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _parts(f"{path}[{n}]", inner)


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _resolves(schema: Mapping[str, Any], target: str) -> bool:
    if not target.startswith("#"):
        return False
    place: object = schema
    for step in target[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(place, Mapping) and name in place:
            place = place[name]
        elif isinstance(place, list) and name.isdecimal() and int(name) < len(place):
            place = place[int(name)]
        else:
            return False
    return target in {"", "#"} or target.startswith("#/")


def _fault(path: str, sentence: str) -> Fault:
    return Fault("invalid_schema", path, f"{sentence}.")

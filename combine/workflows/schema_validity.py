"""Whether a schema that is not ours can be used: valid JSON Schema 2020-12, every reference inside the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from combine.errors import Invalid
from combine.workflows.definitions import Fault
from combine.workflows.provider_schema import reply_schema

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_faults(schema: Mapping[str, Any]) -> list[Fault]:
    """Every reason why this schema cannot be used, each with the JSON path of the place.

    Codes: ``invalid_schema``; ``schema_unsupported`` for a sound schema that no provider can be given.
    """
    # Slow to import and to run; the schemas that ship with the package are proved valid by a test instead.
    from jsonschema import Draft202012Validator  # noqa: PLC0415

    checker = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    faults = [_fault(e.json_path, f"{e.message}; correct this keyword") for e in checker.iter_errors(schema)]
    if faults:
        return faults
    return [*_top_faults(schema), *_deep_faults(schema)] or list(_unsupported(schema))


def _unsupported(schema: Mapping[str, Any]) -> Iterable[Fault]:
    """Why no provider can be given this schema; ``ask`` gives the larger envelope."""
    try:
        reply_schema(schema, ask=True)
    except Invalid as refused:
        yield Fault("schema_unsupported", "$", f"{refused.message} {refused.hint or ''}".strip())


def _top_faults(schema: Mapping[str, Any]) -> Iterable[Fault]:
    dialect = schema.get("$schema", _DIALECT)
    if str(dialect).rstrip("#") != _DIALECT:
        yield _fault("$.$schema", f"Schemas are read as {_DIALECT}; write the schema for it")
    if schema.get("type") != "object":
        yield _fault("$.type", 'A document is an object; write "type": "object"')


def _deep_faults(schema: Mapping[str, Any]) -> Iterable[Fault]:
    for path, part in _parts("$", schema):
        pattern = part.get("pattern")
        if isinstance(pattern, str) and not _compiles(pattern):
            yield _fault(f"{path}.pattern", f"{pattern!r} is no regular expression that can be read; correct it")
        for keyword in ("$ref", "$dynamicRef"):
            target = part.get(keyword)
            if isinstance(target, str) and not _resolves(schema, target):
                message = f"{target!r} names nothing in this file; point to a part of it, e.g. '#/$defs/item'"
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

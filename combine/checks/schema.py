"""The document against its JSON Schema: all errors at once, worded for models and people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from combine.checks.context import CheckContext
from combine.checks.walk import Walked, item_around, json_path
from combine.documents.findings import Finding, Severity, fault, shown
from combine.documents.json_schema import SchemaError, compiled

MAX_SCHEMA_FINDINGS = 30
_KINDS = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def check_schema(walked: Walked, context: CheckContext) -> list[Finding]:
    """One finding per error, at most 30, and one with the number of the rest."""
    findings = [*_errors(walked.document, context), *_blank(walked, context)]
    more = len(findings) - MAX_SCHEMA_FINDINGS
    if more > 0:
        rest = fault(Severity.CRITICAL, "schema", context.document_type, f"There are {more} more faults of form.")
        findings = [*findings[:MAX_SCHEMA_FINDINGS], rest]
    return findings


def _errors(document: Any, context: CheckContext) -> Iterator[Finding]:
    errors = compiled(context.schema).errors(document)
    missing: set[tuple[str | int, ...]] = set()
    for error in sorted((error.sharpest for error in errors), key=lambda e: list(map(str, e.path))):
        if error.keyword == "required":
            if error.path in missing:
                continue  # one finding names all fields that are missing here
            missing.add(error.path)
        yield fault(
            Severity.CRITICAL,
            "schema",
            context.document_type,
            _message(error),
            item=item_around(document, error.path),
            path=json_path(error.path),
            found=None if isinstance(error.instance, dict | list) else error.instance,
        )


def _message(error: SchemaError) -> str:
    name = f"`{next((p for p in reversed(error.path) if isinstance(p, str)), 'the document')}`"
    wanted, instance = error.wanted, error.instance
    said = {
        "required": lambda: f"Missing here: {_names(n for n in wanted if n not in instance)}. Add what is missing.",
        "additionalProperties": lambda: f"There is no field {_extra(error)} here in the schema: leave it out.",
        "type": lambda: f"{name} must be {_kinds(wanted)}, not {_kind(instance)}.",
        "enum": lambda: f"{name} must be one of: {', '.join(map(str, wanted))}.",
        "pattern": lambda: f"{name} must have the form {_form(str(wanted))}.",
        "minItems": lambda: f"{name} needs at least {wanted} {'entry' if wanted == 1 else 'entries'}.",
        "minLength": lambda: f"{name} is empty: fill it.",
    }.get(error.keyword)
    return said() if said else f"{name}: {shown(error.message, 300)}"


def _extra(error: SchemaError) -> str:
    return _names(name for name in error.instance if name not in error.node.get("properties", {}))


def _form(pattern: str) -> str:
    prefixes = re.fullmatch(r"\^\(?([A-Z|]+)\)?-\[0-9\]\{3\}\$", pattern)
    return " or ".join(f"{p}-001" for p in prefixes.group(1).split("|")) if prefixes else pattern


def _kinds(wanted: Any) -> str:
    return " or ".join(_KINDS.get(kind, kind) for kind in ([wanted] if isinstance(wanted, str) else wanted))


def _names(names: Iterator[str]) -> str:
    return ", ".join(f"`{shown(name, 60)}`" for name in names)


def _kind(value: Any) -> str:
    kinds: Sequence[tuple[type, str]] = (
        (bool, "boolean"),
        (int, "integer"),
        (float, "number"),
        (str, "string"),
        (Mapping, "object"),
        (list, "array"),
    )
    return next((_KINDS[name] for kind, name in kinds if isinstance(value, kind)), "null")


def _blank(walked: Walked, context: CheckContext) -> Iterator[Finding]:
    """Texts of nothing but spaces where the schema requires text."""
    for place in walked.places:
        if (
            isinstance(place.value, str)
            and place.value
            and not place.value.strip()
            and place.part.node.get("minLength")
        ):
            message = f"`{place.name}` is empty: fill it."
            yield fault(Severity.CRITICAL, "schema", context.document_type, message, item=place.item, path=place.path)

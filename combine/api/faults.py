"""Faults of requests in words: where what pydantic and Python's JSON reader say of them becomes our text."""

from __future__ import annotations

from collections.abc import Mapping
from json import JSONDecodeError
from typing import Any, Final

from combine.api.names import PATTERNS

Fault = dict[str, str]

_MOST_LOCATION: Final = 200
_OTHER_FORM: Final = "this has not the form that is wanted"
_WORDS: Final[Mapping[str, str]] = {
    "missing": "this is needed",
    "extra_forbidden": "there is no such field",
    "string_type": "a text is wanted",
    "string_unicode": "this is no UTF-8",
    "bool_type": "true or false is wanted",
    "bool_parsing": "true or false is wanted",
    "int_type": "a whole number is wanted",
    "int_parsing": "a whole number is wanted",
    "int_from_float": "a whole number is wanted",
    "int_parsing_size": "this number is too large",
    "float_type": "a number is wanted",
    "float_parsing": "a number is wanted",
    "finite_number": "a number is wanted",
    "uuid_type": 'an id is wanted: "3afba815-6f0b-4c9e-9d55-0c9bb3a5a0b1"',
    "uuid_parsing": 'an id is wanted: "3afba815-6f0b-4c9e-9d55-0c9bb3a5a0b1"',
    "model_type": "a JSON object is wanted",
    "model_attributes_type": "a JSON object is wanted",
    "dict_type": "a JSON object is wanted",
    "list_type": "a list is wanted",
    "enum": "it is one of: {expected}",
    "literal_error": "it is one of: {expected}",
    "string_too_short": "this is too short: at least {min_length} characters are wanted",
    "string_too_long": "this is too long: at most {max_length} characters are possible",
    "too_long": "these are too many: at most {max_length} are possible",
    "greater_than_equal": "at least {ge} is wanted",
    "less_than_equal": "at most {le} is possible",
}
"""Of each kind of fault; in braces what pydantic tells along with it."""
_JSON_WORDS: Final[Mapping[str, str]] = {
    "Expecting value": "a value is wanted",
    "Expecting property name enclosed in double quotes": "a name in double quotes is wanted",
    "Expecting ':' delimiter": 'a ":" is wanted',
    "Expecting ',' delimiter": 'a "," or the end is wanted',
    "Extra data": "there is more behind the end",
    "Unterminated string starting at": "a text that begins here does not end",
    "Invalid control character at": "a control character stands in a text",
    "Invalid \\escape": "there is no such escape",
    "Invalid \\uXXXX escape": "four hexadecimal digits are wanted behind \\u",
    "Illegal trailing comma before end of object": 'a "," stands before the end',
    "Illegal trailing comma before end of array": 'a "," stands before the end',
}


def said(location: str, message: str) -> Fault:
    """One fault as it goes out."""
    return {"location": location[:_MOST_LOCATION], "message": message}


def fault_of(found: Mapping[str, Any]) -> Fault:
    """One that pydantic has found. What was given is not repeated: it may be a secret in the wrong place."""
    return said(".".join(map(str, found["loc"])), _message(found))


def json_fault(error: JSONDecodeError) -> Fault:
    """Where a body is no JSON, and why."""
    words = _JSON_WORDS.get(error.msg.removesuffix(": "), error.msg)
    return said("body", f"this is no JSON: line {error.lineno}, column {error.colno}: {words}")


def _message(found: Mapping[str, Any]) -> str:
    kind, context = found["type"], found.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(context["pattern"], _OTHER_FORM)
    if kind == "string_too_short" and context["min_length"] == 1:
        return "this is empty"
    words = _WORDS.get(kind)
    return str(found["msg"]) if words is None else words.format_map(context)

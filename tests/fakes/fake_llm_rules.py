"""What the real providers refuse in a request, and the smallest JSON that fits a schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fake_llm_wire import Error, schema_of

_UNSUPPORTED = {
    "anthropic": {
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("maxItems", "uniqueItems", "minProperties", "maxProperties", "patternProperties", "oneOf", "not", "if"),
    },
    "openai": {"oneOf", "not", "if", "allOf", "patternProperties", "uniqueItems", "minProperties", "maxProperties"},
}
_MOST_OPTIONAL = 24
_MOST_UNIONS = 16
_MOST_BREAKPOINTS = 4


def refusal(protocol: str, body: Mapping[str, Any]) -> Error | None:
    """A 400 as the provider would give it, or None."""
    found = next(_faults(protocol, body), None)
    return None if found is None else Error(400, "invalid_request_error", found)


def _faults(protocol: str, body: Mapping[str, Any]) -> Iterator[str]:
    if body.get("stream") is not True:
        yield "stream: this server only streams"
    if protocol == "anthropic":
        yield from _anthropic_faults(body)
    else:
        yield from _openai_faults(body)
    schema = schema_of(body)
    if schema is None:
        yield "output_config: a JSON schema is expected"
    else:
        yield from schema_faults(protocol, schema)


def _anthropic_faults(body: Mapping[str, Any]) -> Iterator[str]:
    for name in ("temperature", "top_p", "top_k", "tool_choice", "output_format"):
        if name in body:
            yield f"{name}: not supported by this model"
    if not isinstance(body.get("max_tokens"), int):
        yield "max_tokens: Field required"
    if body["messages"][-1]["role"] != "user":
        yield "This model does not support assistant message prefill"
    blocks = [*body.get("system", []), *(block for m in body["messages"] for block in m["content"])]
    if any(not block["text"] for block in blocks):
        yield "messages: text content blocks must be non-empty"
    if sum("cache_control" in block for block in blocks) > _MOST_BREAKPOINTS:
        yield "A maximum of 4 blocks with cache_control may be provided"


def _openai_faults(body: Mapping[str, Any]) -> Iterator[str]:
    form = body.get("response_format", {}).get("json_schema", {})
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", form.get("name", "")):
        yield "Invalid 'response_format.json_schema.name'"
    if form.get("strict") is not True:
        yield "response_format: strict is expected here"


def schema_faults(protocol: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """Why the provider would refuse ``schema``."""
    parts = list(_parts(schema))
    for part in parts:
        for keyword in sorted(_UNSUPPORTED[protocol] & part.keys()):
            yield f"response schema: {keyword!r} is not supported"
        if part.get("type") == "object":
            if part.get("additionalProperties") is not False:
                yield "response schema: for 'object' type, 'additionalProperties' must be explicitly set to false"
            if protocol == "openai" and set(part.get("required", ())) != set(part.get("properties", {})):
                yield "Invalid schema for response_format: 'required' must include every key in properties"
    optional = sum(len(set(part.get("properties", {})) - set(part.get("required", ()))) for part in parts)
    unions = sum("anyOf" in part or isinstance(part.get("type"), list) for part in parts)
    if protocol == "anthropic" and (optional > _MOST_OPTIONAL or unions > _MOST_UNIONS):
        yield f"The schema is too complex: {optional} optional parameters, {unions} parameters with union types"


def _parts(schema: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(schema, Mapping):
        return
    yield schema
    for name in ("properties", "$defs"):
        for part in schema.get(name, {}).values():
            yield from _parts(part)
    for part in (schema.get("items"), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _parts(part)


_SIMPLE = {"integer": 0, "number": 0, "boolean": False, "null": None}


def smallest(schema: Mapping[str, Any] | None) -> Any:
    """The least JSON of the schema's shape: every field, empty lists, first choices. Patterns are not met."""
    if schema is None:
        return {}
    if "anyOf" in schema:
        return smallest(schema["anyOf"][0])
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: smallest(part) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [smallest(schema.get("items"))] * schema.get("minItems", 0)
    return _SIMPLE.get(kind, "text")

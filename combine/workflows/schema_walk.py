"""Walking a document beside its JSON Schema: which part describes a value, and in what order fields belong.

PostgreSQL's JSONB forgets the order of keys; the schema remembers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JsonObject = Mapping[str, Any]


def resolve(root: JsonObject, node: JsonObject) -> JsonObject:
    """The part of the schema that really describes a value: follows local ``$ref`` and skips ``null`` in unions.

    What cannot be followed gives an empty schema, which describes anything.
    """
    for _ in range(32):  # a chain of references longer than this is a circle
        if "$ref" in node:
            node = {**_target(root, str(node["$ref"])), **{k: v for k, v in node.items() if k != "$ref"}}
            continue
        union = node.get("anyOf") or node.get("oneOf")
        choices = [c for c in union or () if isinstance(c, Mapping) and c.get("type") != "null"]
        if len(choices) != 1:
            return node
        node = {**choices[0], **{k: v for k, v in node.items() if k not in ("anyOf", "oneOf")}}
    return {}


def _target(root: JsonObject, ref: str) -> JsonObject:
    found: Any = root
    for part in ref.removeprefix("#").strip("/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def properties(root: JsonObject, node: JsonObject) -> dict[str, JsonObject]:
    """The declared properties of an object in the schema's order, each resolved."""
    declared = resolve(root, node).get("properties")
    if not isinstance(declared, Mapping):
        return {}
    return {name: resolve(root, part) for name, part in declared.items() if isinstance(part, Mapping)}


def element(root: JsonObject, node: JsonObject) -> JsonObject:
    """The schema of an array's elements, resolved."""
    items = resolve(root, node).get("items")
    return resolve(root, items) if isinstance(items, Mapping) else {}


def in_schema_order(value: Any, root: JsonObject, node: JsonObject | None = None) -> Any:
    """The same value with every object's keys in the schema's order; unknown keys follow by name.

    Equal values give equal text whatever order a store hands their keys back in.
    """
    node = root if node is None else node
    if isinstance(value, Mapping):
        known = properties(root, node)
        names = [n for n in known if n in value] + sorted(n for n in value if n not in known)
        return {name: in_schema_order(value[name], root, known.get(name, {})) for name in names}
    if isinstance(value, list | tuple):
        part = element(root, node)
        return [in_schema_order(v, root, part) for v in value]
    return value

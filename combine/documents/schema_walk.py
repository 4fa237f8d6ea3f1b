"""Walking a document along with its JSON Schema: which part describes a value, and in what order fields belong.

What follows from a schema alone is worked out once for each schema object: schemas do not change after loading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

JsonObject = Mapping[str, Any]
LISTS = (list, tuple)
SCALARS = (str, int, float, type(None))
"""JSON values other than objects and lists; checked first, because isinstance with Mapping is slow."""

_ID_PATTERN = re.compile(r"\^\(?[A-Z|]+\)?-\[0-9\]\{3\}\$")
_PREFIX = re.compile(r"\^([A-Z]{1,8})-\[0-9\]\{3\}\$")
_KEPT_SCHEMAS = 64


def resolve(root: JsonObject, node: JsonObject) -> JsonObject:
    """The part of the schema that really describes a value: follows local ``$ref`` and skips ``null`` in unions.

    What cannot be followed gives an empty schema, which describes anything.
    """
    for _ in range(32):  # a longer chain of references is a cycle
        if "$ref" in node:
            node = {**target(root, str(node["$ref"])), **{k: v for k, v in node.items() if k != "$ref"}}
            continue
        union = node.get("anyOf") or node.get("oneOf")
        choices = [c for c in union or () if isinstance(c, Mapping) and c.get("type") != "null"]
        if len(choices) != 1:
            return node
        node = {**choices[0], **{k: v for k, v in node.items() if k not in ("anyOf", "oneOf")}}
    return {}


def target(root: JsonObject, ref: str) -> JsonObject:
    """The target of a local reference such as ``#/$defs/item``; empty if there is none."""
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


def as_object(value: Any) -> JsonObject | None:
    """The value if it is a JSON object, else None."""
    if isinstance(value, dict):
        return value
    return value if not isinstance(value, SCALARS) and isinstance(value, Mapping) else None


class Part:
    """What a schema says about one kind of value, with references followed. Computed lazily and kept."""

    def __init__(self, schema: _Parts, node: JsonObject) -> None:
        self._schema = schema
        self.node = node
        """The part of the schema itself, as ``resolve`` gives it."""

    @property
    def unknown(self) -> Part:
        """The part for what the schema does not describe."""
        return self._schema.unknown

    @cached_property
    def properties(self) -> dict[str, Part]:
        """The declared properties of an object in the schema's order."""
        declared = self.node.get("properties")
        if not isinstance(declared, Mapping):
            return {}
        return {name: self._schema.part(part) for name, part in declared.items() if isinstance(part, Mapping)}

    @cached_property
    def element(self) -> Part:
        """The elements of an array; an empty part if the schema does not describe them."""
        items = self.node.get("items")
        return self._schema.part(items) if isinstance(items, Mapping) else self._schema.unknown

    @cached_property
    def required(self) -> frozenset[str]:
        """The names an object must have."""
        names = self.node.get("required")
        return frozenset(n for n in names if isinstance(n, str)) if isinstance(names, list) else frozenset()

    @cached_property
    def id_pattern(self) -> re.Pattern[str] | None:
        """The pattern of a string that holds an id, such as ``^(FR|NFR)-[0-9]{3}$``; None for any other string."""
        pattern = self.node.get("pattern")
        return re.compile(pattern) if isinstance(pattern, str) and _ID_PATTERN.fullmatch(pattern) else None

    @cached_property
    def id_prefix(self) -> str:
        """``OBJ`` if the part describes items whose id has that one prefix, else empty."""
        parts = self.node.get("properties")
        own = parts.get("id") if isinstance(parts, Mapping) else None
        pattern = own.get("pattern") if isinstance(own, Mapping) else None
        found = _PREFIX.fullmatch(pattern) if isinstance(pattern, str) else None
        return found.group(1) if found else ""

    @cached_property
    def words(self) -> tuple[int, int] | None:
        """Words of a text: the requested maximum, and the limit for rejection; None if the schema has none."""
        return _limit(self.node.get("x-words"))

    @cached_property
    def count(self) -> tuple[int, int] | None:
        """The same for the entries of a list."""
        return _limit(self.node.get("x-count"))

    @cached_property
    def is_checked(self) -> bool:
        """Whether there is a rule about a value of this kind beyond its form."""
        return bool(self.id_pattern or self.id_prefix or self.words or self.count or self.node.get("minLength"))

    @cached_property
    def spellings(self) -> dict[str, str]:
        """The schema's own spelling of the texts of an ``enum``, by ``enum_form``; empty without an enum."""
        allowed = self.node.get("enum")
        return {enum_form(a): a for a in allowed if isinstance(a, str)} if isinstance(allowed, list) else {}


class _Parts:
    """All parts of one schema, each made when it is first reached."""

    def __init__(self, root: JsonObject) -> None:
        self.root = root
        self.unknown = Part(self, {})
        # Keyed by the identity of nodes inside ``root``, which lives as long as this does. Every node a resolved part
        # leads to is one of them, so the parts of a recursive schema are finite too.
        self._made: dict[int, Part] = {}

    def part(self, node: JsonObject) -> Part:
        """The part for a node of this schema."""
        made = self._made.get(id(node))
        if made is None:
            made = self._made[id(node)] = Part(self, resolve(self.root, node))
        return made


class SameSchema:
    """A schema as a key: equal to itself only."""

    __slots__ = ("schema",)

    def __init__(self, schema: JsonObject) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SameSchema) and other.schema is self.schema


def root_part(schema: JsonObject) -> Part:
    """The part of the schema that describes the whole document."""
    return _parts_of(SameSchema(schema)).part(schema)


@lru_cache(maxsize=_KEPT_SCHEMAS)
def _parts_of(key: SameSchema) -> _Parts:
    return _Parts(key.schema)


def enum_form(value: str) -> str:
    """The form in which the spellings of an enum's text are compared."""
    return re.sub(r"[\s_-]+", "_", value.strip().casefold())


def _limit(limit: Any) -> tuple[int, int] | None:
    if not isinstance(limit, Mapping) or not isinstance(limit.get("reject"), int):
        return None
    reject: int = limit["reject"]
    ask = limit.get("ask")
    if isinstance(ask, list) and ask:
        ask = ask[-1]
    return (ask if isinstance(ask, int) else reject), reject


def in_schema_order(content: JsonObject, root: JsonObject) -> dict[str, Any]:
    """The same value with every object's keys in the schema's order; unknown keys follow by name.

    Equal values give equal text whatever order a store hands their keys back in.
    """
    ordered: dict[str, Any] = _in_order(content, root_part(root))
    return ordered


def _in_order(value: Any, part: Part) -> Any:
    if isinstance(value, SCALARS):
        return value
    if isinstance(value, LISTS):
        element = part.element
        return [v if isinstance(v, SCALARS) else _in_order(v, element) for v in value]
    if not isinstance(value, Mapping):
        return value
    known = part.properties
    ordered: dict[str, Any] = {}
    for name, inner in known.items():
        if name in value:
            found = value[name]
            ordered[name] = found if isinstance(found, SCALARS) else _in_order(found, inner)
    if len(ordered) < len(value):
        for name in sorted(n for n in value if n not in known):
            ordered[name] = _in_order(value[name], part.unknown)
    return ordered


def in_store_order(value: Any, *, depth: int = 100) -> Any:
    """The same value with the keys of every object in the order of JSONB: short ones first.

    For values without a schema. What lies deeper than ``depth`` stays as it is.
    """
    if isinstance(value, SCALARS) or not depth:
        return value
    if isinstance(value, LISTS):
        return [in_store_order(inner, depth=depth - 1) for inner in value]
    if (members := as_object(value)) is None:
        return value
    return {name: in_store_order(members[name], depth=depth - 1) for name in store_order(members)}


def store_order(members: JsonObject) -> tuple[str, ...]:
    """The keys of an object as JSONB returns them: short ones first."""
    return _store_order(tuple(members))


@lru_cache(maxsize=512)
def _store_order(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: (len(name.encode("utf-8", "surrogatepass")), name)))

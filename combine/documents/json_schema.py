"""JSON Schema 2020-12: schemas compiled once, nothing fetched, and all errors of a value in the schema's order.

References stay inside the schema, a ``pattern`` is matched by Python's ``re``, ``format`` is not checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from combine.documents.findings import storable
from combine.documents.schema_walk import JsonObject, SameSchema, target
from combine.errors import Invalid

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_NESTING = 200
"""Levels of a value that is checked; the compiled code recurses on the thread's stack."""

_KEPT_SCHEMAS = 64
_REFERENCES = frozenset({"$ref", "$dynamicRef"})
_SCHEMAS_BY_NAME = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
_VALUES = frozenset({"const", "enum", "default", "examples"})
_UNIONS = frozenset({"anyOf", "oneOf"})
_PATTERN = "pattern "
"""Prefix of the names of formats that stand for a pattern; no real format has a space in its name."""
_PLAIN_KEY = re.compile("[a-zA-Z][a-zA-Z0-9_]*")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


@dataclass(frozen=True, slots=True)
class SchemaError:
    """One violation of a schema."""

    path: tuple[str | int, ...]
    keyword: str
    """The keyword that is violated, e.g. ``required``; empty where the schema is ``false``."""
    wanted: Any
    """The value of that keyword in the schema."""
    node: JsonObject = field(repr=False)
    """The part of the schema that has the keyword."""
    instance: Any
    """The part of the value at ``path``."""
    message: str
    """What the library says."""
    context: tuple[SchemaError, ...] = ()
    """The errors of all choices, if the keyword is a union and no choice fits."""

    @property
    def json_path(self) -> str:
        """``$.a[0]['b-c']``."""
        return "$" + "".join(map(_path_step, self.path))

    @property
    def sharpest(self) -> SchemaError:
        """The error inside a union that most likely says what is wrong; this one if none stands out."""
        best = max(self.context, key=_relevance, default=self)
        while best.context and best is not self:
            deepest, *others = sorted(best.context, key=_relevance)
            if others and _relevance(deepest) == _relevance(others[0]):
                break
            best = deepest
        return best


class CompiledSchema:
    """Checks values against one schema. May be used by several threads at once."""

    def __init__(self, schema: JsonObject) -> None:
        # Slow to load, and many commands check nothing.
        from jsonschema_rs import Draft202012Validator  # noqa: PLC0415

        formats: dict[str, Callable[[str], bool]] = {}
        try:
            self._schema = _prepared(schema, formats)
            self._validator: Validator = Draft202012Validator(
                self._schema, offline=True, formats=formats, validate_formats=bool(formats)
            )
        except (ValueError, re.error) as error:
            said = getattr(error, "message", str(error))
            raise Invalid(
                f"The schema cannot be used: {said}.", code="invalid_schema", hint="Correct the schema."
            ) from error

    def errors(self, value: Any) -> list[SchemaError]:
        """All errors, in the order of the schema; empty if the value is valid.

        The value must not be nested deeper than ``MAX_NESTING``.
        """
        try:
            return self._errors(value)
        except ValueError:  # contains lone surrogates, or values that are not JSON
            return self._errors(json.loads(json.dumps(storable(value), default=str)))

    def _errors(self, value: Any) -> list[SchemaError]:
        return [] if self._validator.is_valid(value) else self._read(value, self._validator.iter_errors(value))

    def _read(self, value: Any, errors: Iterable[ValidationError]) -> list[SchemaError]:
        read = [(positions(self._schema, error.evaluation_path), self._error(value, error)) for error in errors]
        return [error for _, error in sorted(read, key=lambda one: one[0]) if not _is_wrong(error)]

    def _error(self, value: Any, error: ValidationError) -> SchemaError:
        node, keyword, wanted = _rule(self._schema, error.schema_path)
        instance, path = value, []
        for step in error.instance_path:
            path.append(_key(instance, step))
            instance = _inside(instance, step)
        choices = getattr(error.kind, "context", ()) if keyword in _UNIONS else ()
        context = [inner for choice in choices for inner in self._read(value, choice)] if all(choices) else []
        return SchemaError(tuple(path), keyword, wanted, node, instance, error.message, tuple(context))


@lru_cache(maxsize=_KEPT_SCHEMAS)
def _compiled(key: SameSchema) -> CompiledSchema:
    return CompiledSchema(key.schema)


def compiled(schema: JsonObject) -> CompiledSchema:
    """The schema, compiled once for each schema object. Raises Invalid (``invalid_schema``)."""
    return _compiled(SameSchema(schema))


def positions(value: Any, path: Iterable[str | int]) -> list[int]:
    """The place of a part of a JSON value, as something to sort by; the value may be a schema with references."""
    root, found = value, []
    for step in path:
        key = _key(value, step)
        found.append(key if isinstance(key, int) else _index(value, key))
        value = _inside(value, step)
        if step in _REFERENCES and isinstance(value, str):
            value = target(root, unquote(value))
    return found


def _prepared(node: Any, formats: dict[str, Callable[[str], bool]], *, by_name: bool = False) -> Any:
    """The schema as the library takes it: one document, whose references are URIs and whose patterns are formats.

    The library's own regular expressions differ from Python's, e.g. for letters beyond ASCII and in what ``$`` means.
    """
    if isinstance(node, list):
        return [_prepared(part, formats) for part in node]
    if not isinstance(node, Mapping):
        return node
    if by_name:
        return {name: _prepared(part, formats) for name, part in node.items()}
    made: dict[str, Any] = {}
    for keyword, said in node.items():
        if keyword == "pattern":
            made["format"] = _PATTERN + said
            formats[_PATTERN + said] = _matcher(said)
        elif keyword in _REFERENCES and isinstance(said, str):
            made[keyword] = quote(unquote(said), safe="#/~!$&'()*+,;=:@?")
        elif keyword in _VALUES:
            made[keyword] = said
        elif keyword not in {"$id", "format"}:
            made[keyword] = _prepared(said, formats, by_name=keyword in _SCHEMAS_BY_NAME)
    return made


def _matcher(pattern: str) -> Callable[[str], bool]:
    search = re.compile(pattern).search
    return lambda text: search(text) is not None


def _rule(schema: JsonObject, path: Iterable[str | int]) -> tuple[JsonObject, str, Any]:
    """What a path in the schema points to: the part with the keyword, the keyword, and its value.

    The keyword is empty if the path points to anything else, such as a subschema that is ``false``.
    """
    here: Any = schema
    node: JsonObject = {}
    keyword = ""
    for step in path:
        if isinstance(step, int) or keyword in _SCHEMAS_BY_NAME:
            keyword = ""
        else:
            node, keyword = here if isinstance(here, Mapping) else {}, step
        here = _inside(here, step)
    if keyword == "format" and isinstance(here, str):
        return node, "pattern", here.removeprefix(_PATTERN)
    return node, "" if here is None else keyword, here


def _key(holder: Any, step: str | int) -> str | int:
    """The library takes a name like ``1`` for a position."""
    return str(step) if isinstance(holder, Mapping) else step


def _index(holder: Any, key: str) -> int:
    return list(holder).index(key) if isinstance(holder, Mapping) and key in holder else 0


def _inside(holder: Any, step: str | int) -> Any:
    try:
        return holder[_key(holder, step)]
    except (KeyError, IndexError, TypeError):
        return None


def _is_wrong(error: SchemaError) -> bool:
    """Whether it is untrue: the library says so of fields that are required but not declared in a closed object."""
    return error.keyword == "required" and all(name in error.instance for name in error.wanted)


def _path_step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    if _PLAIN_KEY.fullmatch(step):
        return f".{step}"
    escaped = step.replace("\\", "\\\\").replace("'", "\\'")
    return f"['{escaped}']"


def _relevance(error: SchemaError) -> tuple[int, tuple[str | int, ...], bool, bool]:
    """Grows with the relevance of an error at the same level: outer places first, unions and wrong types last."""
    return -len(error.path), error.path, error.keyword not in _UNIONS, not _has_type(error)


def _has_type(error: SchemaError) -> bool:
    """Whether the value has the type that the schema asks for."""
    wanted = error.node.get("type", [])
    kinds = [wanted] if isinstance(wanted, str) else wanted
    value = error.instance
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return True
    allowed = tuple(kind for name in kinds for kind in _TYPES[name])
    return isinstance(value, allowed) and (not isinstance(value, bool) or bool in allowed)

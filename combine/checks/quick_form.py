"""A quick answer to whether a document has the form of its schema, for the many that do.

It says yes only if JSON Schema 2020-12 would. No means "look closer": the form is wrong, or the schema uses a keyword
that is not read here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from combine.documents.items import MAX_DEPTH
from combine.documents.schema_walk import JsonObject, SameSchema, target

Test = Callable[[Any], bool]

_KEPT_SCHEMAS = 64
_SAY_NOTHING = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "format", "$comment"}
)
_DEFINITION = re.compile(r"#/\$defs/[\w-]+")
_SAY_NOTHING_AT_THE_TOP = frozenset({"$schema", "$id", "$defs"})


class _NotReadError(Exception):
    """The schema says something that is not read here."""


def surely_fits(document: Any, schema: JsonObject) -> bool:
    """Whether the document certainly has the form of the schema."""
    test = _test_of(SameSchema(schema))
    return test is not None and test(document)


@lru_cache(maxsize=_KEPT_SCHEMAS)
def _test_of(key: SameSchema) -> Test | None:
    try:
        return _Reader(key.schema).node(key.schema, 0)
    except (_NotReadError, re.error):
        return None


class _Reader:
    """Makes tests of the nodes of one schema."""

    def __init__(self, root: JsonObject) -> None:
        self._root = root
        self._referred: dict[str, Test | None] = {}
        """By reference; None while its test is being made."""

    def node(self, node: Any, depth: int) -> Test:
        """The test for one node. Raises _NotReadError, also for a recursive schema."""
        if node is True:
            return _anything
        if depth > MAX_DEPTH or not isinstance(node, Mapping):
            raise _NotReadError
        tests = [
            made
            for keyword, said in node.items()
            if not self._says_nothing(keyword, depth) and (made := self._keyword(keyword, said, node, depth))
        ]
        return _all_of(tests)

    def _says_nothing(self, keyword: str, depth: int) -> bool:
        return (
            keyword in _SAY_NOTHING or keyword.startswith("x-") or (depth == 0 and keyword in _SAY_NOTHING_AT_THE_TOP)
        )

    def _keyword(self, keyword: str, said: Any, node: JsonObject, depth: int) -> Test | None:
        """None if another keyword of the node covers this one."""
        if keyword in ("properties", "required", "additionalProperties"):
            first = next(k for k in node if k in ("properties", "required", "additionalProperties"))
            return self._object(node, depth) if keyword == first else None
        if keyword == "items":
            element = self.node(said, depth + 1)
            return lambda value: not isinstance(value, list) or all(map(element, value))
        if keyword == "$ref":
            return self._reference(said, depth)
        if keyword == "anyOf" and isinstance(said, list):
            choices = [self.node(choice, depth + 1) for choice in said]
            return lambda value: any(choice(value) for choice in choices)
        if keyword in _SIMPLE:
            return _SIMPLE[keyword](said)
        raise _NotReadError

    def _object(self, node: JsonObject, depth: int) -> Test:
        declared = node.get("properties", {})
        required = node.get("required", [])
        more = node.get("additionalProperties", True)
        if not isinstance(declared, Mapping) or not isinstance(required, list) or not isinstance(more, bool):
            raise _NotReadError
        known = {name: self.node(part, depth + 1) for name, part in declared.items()}

        def fits(value: Any) -> bool:
            if not isinstance(value, dict):
                return True
            for name in required:
                if name not in value:
                    return False
            for name, part in value.items():
                test = known.get(name)
                if not (more if test is None else test(part)):
                    return False
            return True

        return fits

    def _reference(self, said: Any, depth: int) -> Test:
        if not isinstance(said, str) or not _DEFINITION.fullmatch(said):
            raise _NotReadError
        if said not in self._referred:
            self._referred[said] = None
            found = target(self._root, said)
            if not found:
                raise _NotReadError
            self._referred[said] = self.node(found, depth + 1)
        test = self._referred[said]
        if test is None:  # a circle
            raise _NotReadError
        return test


def _all_of(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def fits(value: Any) -> bool:
        for test in tests:  # noqa: SIM110 - a generator here would double the time of a check
            if not test(value):
                return False
        return True

    return fits


def _anything(_: Any) -> bool:
    return True


def _type(said: Any) -> Test:
    kinds = said if isinstance(said, list) else [said]
    if any(kind not in _TYPES for kind in kinds):
        raise _NotReadError
    wanted = tuple(python for kind in kinds for python in _TYPES[kind])
    if bool in wanted or not {int, float} & set(wanted):
        return lambda value: isinstance(value, wanted)
    return lambda value: isinstance(value, wanted) and not isinstance(value, bool)


def _enum(said: Any) -> Test:
    if not isinstance(said, list) or not all(isinstance(one, str) for one in said):
        raise _NotReadError
    allowed = frozenset(said)
    return lambda value: isinstance(value, str) and value in allowed


def _pattern(said: Any) -> Test:
    search = re.compile(said).search
    return lambda value: not isinstance(value, str) or search(value) is not None


def _min_length(said: Any) -> Test:
    return lambda value: not isinstance(value, str) or len(value) >= said


def _max_length(said: Any) -> Test:
    return lambda value: not isinstance(value, str) or len(value) <= said


def _min_items(said: Any) -> Test:
    return lambda value: not isinstance(value, list) or len(value) >= said


def _max_items(said: Any) -> Test:
    return lambda value: not isinstance(value, list) or len(value) <= said


_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_SIMPLE: dict[str, Callable[[Any], Test]] = {
    "type": _type,
    "enum": _enum,
    "pattern": _pattern,
    "minLength": _min_length,
    "maxLength": _max_length,
    "minItems": _min_items,
    "maxItems": _max_items,
}

"""The schema sent to a provider: the stored one, simplified for every provider's structured output.

All properties are required (an empty value stands for "not there" and is dropped again before validation), every
object is closed, references are resolved, and rules that providers do not enforce are added to the descriptions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from combine.documents.questions import MAX_QUESTIONS, AnswerType
from combine.documents.schema_walk import LISTS, JsonObject, Part, as_object, enum_form, root_part
from combine.errors import Invalid

MAX_UNIONS = 16
MAX_SCHEMA_DEPTH = 20

_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_LIMITS = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "more than {}"),
    ("maximum", "at most {}"),
    ("exclusiveMaximum", "less than {}"),
    ("multipleOf", "a multiple of {}"),
    ("maxLength", "at most {} characters"),
    ("format", "format {}"),
)


def reply_schema(schema: JsonObject, *, ask: bool) -> dict[str, Any]:
    """The envelope around a document of this schema, as it is sent.

    With ``ask`` the reply holds questions or a document, else a document. Raises Invalid (``schema_unsupported``)
    for a schema that no provider's structured output supports, such as a recursive one.
    """
    document = _sent(schema, schema, depth=0)
    parts: dict[str, Any] = {"document": document}
    if ask:
        said = document.pop("description", "The document.")
        empty_or_document = [document, {"type": "null"}]
        parts = {
            "questions": _questions(),
            "document": {"description": f"{said} null if there are questions.", "anyOf": empty_or_document},
        }
    envelope = _closed(parts)
    if count_unions(envelope) > MAX_UNIONS:
        raise Invalid(
            f"The schema has more than {MAX_UNIONS} fields that may be null.",
            code="schema_unsupported",
            hint="Make optional objects, numbers and booleans required, or use arrays or strings instead.",
        )
    return envelope


def count_unions(schema: JsonObject) -> int:
    """How many places of a sent schema allow more than one type; providers limit this."""
    return sum("anyOf" in part or isinstance(part.get("type"), list) for part in _parts(schema))


def drop_empty_optionals(document: JsonObject, schema: JsonObject) -> dict[str, Any]:
    """The document as it is stored: empty values of properties that are not required are gone, and enum values
    have the schema's own spelling. What does not fit the schema stays as it is.
    """
    cleaned = _cleaned(document, root_part(schema), 0)
    assert isinstance(cleaned, dict)
    return cleaned


def _cleaned(value: Any, part: Part, depth: int) -> Any:
    if depth > MAX_SCHEMA_DEPTH:
        return value
    if isinstance(value, str):
        return _as_in_enum(value, part) if part.spellings else value
    if isinstance(value, LISTS):
        return [_cleaned(v, part.element, depth + 1) for v in value]
    members = as_object(value)
    if members is None:
        return value
    known, required = part.properties, part.required
    cleaned = {n: _cleaned(v, known[n], depth + 1) if n in known else v for n, v in members.items()}
    return {n: v for n, v in cleaned.items() if n in required or n not in known or not _is_empty(v)}


def _is_empty(value: Any) -> bool:
    return not value.strip() if isinstance(value, str) else value is None or value in ([], {})


def _as_in_enum(value: str, part: Part) -> str:
    return value if value in part.node["enum"] else part.spellings.get(enum_form(value), value)


def _questions() -> dict[str, Any]:
    question = _closed(
        {
            "text": _string("One question in the asker's words, ending with a question mark; at most 40 words."),
            "why": _string("The decision that hangs on the answer; at most 30 words."),
            "answer_type": {
                "description": "What form the answer takes; a closed form where possible.",
                "type": "string",
                "enum": [t.value for t in AnswerType],
            },
            "choices": {
                "description": "2 to 6 exclusive choices for single_choice and multi_choice; empty for the others.",
                "type": "array",
                "items": {"type": "string"},
            },
            "default": _string(
                "What stands if the person does not decide: one of the choices (multi_choice: joined by ; ), yes or "
                "no for yes_no, else one full sentence that can stand as an assumption."
            ),
            "required": {"description": "Whether the document needs the answer.", "type": "boolean"},
        }
    )
    return {
        "description": f"At most {MAX_QUESTIONS} questions, or empty if the document is given.",
        "type": "array",
        "items": question,
    }


def _string(description: str) -> dict[str, Any]:
    return {"description": description, "type": "string"}


def _closed(parts: JsonObject) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(parts), "properties": dict(parts)}


def _sent(root: JsonObject, node: JsonObject, *, depth: int, optional: bool = False) -> dict[str, Any]:
    """One part of the schema as it is sent."""
    if depth > MAX_SCHEMA_DEPTH:
        raise Invalid(
            f"The schema is recursive or nested deeper than {MAX_SCHEMA_DEPTH} levels.",
            code="schema_unsupported",
            hint="Providers do not support such schemas; let items refer to each other by id.",
        )
    node = _merged(root, node)
    choices = node.get("anyOf") or node.get("oneOf")
    if isinstance(choices, list):
        sent: dict[str, Any] = {
            "anyOf": [_sent(root, c if isinstance(c, Mapping) else {}, depth=depth + 1) for c in choices]
        }
        optional = optional and {"type": "null"} not in sent["anyOf"]
    else:
        sent = _of_type(root, node, depth, _type(node))
    if optional and ("anyOf" in sent or sent["type"] not in ("array", "string")):
        variants = sent.get("anyOf", [sent])
        sent = {"anyOf": [*variants, {"type": "null"}]}
    elif optional and "enum" in sent and "" not in sent["enum"]:
        sent["enum"] = [*sent["enum"], ""]
    said = _description(node, optional=optional)
    return {"description": said, **sent} if said else sent


def _of_type(root: JsonObject, node: JsonObject, depth: int, kind: str) -> dict[str, Any]:
    if kind == "object":
        required = _required(node)
        declared = node.get("properties")
        parts = declared if isinstance(declared, Mapping) else {}
        return _closed(
            {
                name: _sent(root, part, depth=depth + 1, optional=name not in required)
                for name, part in parts.items()
                if isinstance(part, Mapping)
            }
        )
    if kind == "array":
        items = node.get("items")
        sent = {"type": "array", "items": _sent(root, items if isinstance(items, Mapping) else {}, depth=depth + 1)}
        return {**sent, "minItems": 1} if _least(node) == 1 else sent
    allowed = [node["const"]] if "const" in node else node.get("enum")
    return {"type": kind, "enum": list(allowed)} if isinstance(allowed, list) else {"type": kind}


def _merged(root: JsonObject, node: JsonObject) -> JsonObject:
    """The part with references followed, ``allOf`` folded in and lists of types written as ``anyOf``."""
    node = _followed(root, node)
    for part in node.get("allOf") or ():
        if isinstance(part, Mapping):
            more = _followed(root, part)
            joined = {**(node.get("properties") or {}), **(more.get("properties") or {})}
            required = [*_required(node), *_required(more)]
            node = {**node, **more, **({"properties": joined, "required": required} if joined else {})}
    kinds = node.get("type")
    if isinstance(kinds, list) and len(kinds) == 1:
        return {**node, "type": kinds[0]}
    if isinstance(kinds, list):
        bare = {k: v for k, v in node.items() if k not in ("type", "description")}
        return {"anyOf": [{"type": "null"} if k == "null" else {**bare, "type": k} for k in kinds], **_said(node)}
    return node


def _followed(root: JsonObject, node: JsonObject) -> JsonObject:
    """The part that references lead to; unlike ``resolve`` it keeps a ``null`` choice."""
    for _ in range(MAX_SCHEMA_DEPTH):
        if "$ref" not in node:
            break
        more = {k: v for k, v in node.items() if k != "$ref"}
        target: Any = root
        path = str(node["$ref"]).removeprefix("#").strip("/")
        for part in path.split("/") if path else ():
            key = part.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, Mapping) else None
        node = {**(target if isinstance(target, Mapping) else {}), **more}
    return node


def _said(node: JsonObject) -> dict[str, Any]:
    return {k: node[k] for k in ("description",) if k in node}


def _type(node: JsonObject) -> str:
    kind = node.get("type")
    if kind in _TYPES:
        return str(kind)
    if "properties" in node:
        return "object"
    if "items" in node:
        return "array"
    sample = node["const"] if "const" in node else next(iter(node.get("enum") or ()), "")
    for kind, types in (("boolean", bool), ("integer", int), ("number", float), ("null", type(None))):
        if isinstance(sample, types):
            return kind
    return "string"


def _required(node: JsonObject) -> tuple[str, ...]:
    required = node.get("required")
    return tuple(n for n in required if isinstance(n, str)) if isinstance(required, list) else ()


def _least(node: JsonObject) -> int:
    least = node.get("minItems")
    return least if isinstance(least, int) else 0


def _description(node: JsonObject, *, optional: bool) -> str:
    """The prompt text of this part, with what the provider will not enforce."""
    limits = [*_size_words(node), *_form_words(node)]
    if optional:
        limits.append("empty if there is none" if _type(node) in ("string", "array") else "null if there is none")
    said = " ".join(str(node.get("description") or "").split())
    if not limits:
        return said
    extra = "; ".join(limits)
    return f"{said} ({extra})" if said else extra


def _size_words(node: JsonObject) -> Iterator[str]:
    words, count = node.get("x-words"), node.get("x-count")
    if isinstance(words, Mapping) and "ask" in words:
        yield f"at most {words['ask']} words"
    if isinstance(count, Mapping) and isinstance(count.get("ask"), Sequence) and len(count["ask"]) == 2:  # noqa: PLR2004
        low, high = count["ask"]
        yield f"{low} to {high} entries" if low != high else f"{low} entries"
    elif _least(node) > 1:
        yield f"at least {_least(node)} entries"
    if "maxItems" in node:
        yield f"never more than {node['maxItems']} entries"


def _form_words(node: JsonObject) -> Iterator[str]:
    for keyword, words in _LIMITS:
        if keyword in node:
            yield words.format(node[keyword])
    pattern = node.get("pattern")
    if isinstance(pattern, str):
        simple = re.fullmatch(r"\^\(?([A-Z]+(?:\|[A-Z]+)*)\)?-\[0-9\]\{3\}\$", pattern)
        yield "form " + " or ".join(f"{p}-001" for p in simple.group(1).split("|")) if simple else f"form {pattern}"


def _parts(schema: Any) -> Iterator[JsonObject]:
    """Every schema inside a sent schema."""
    if not isinstance(schema, Mapping):
        return
    yield schema
    for part in schema.get("properties", {}).values():
        yield from _parts(part)
    yield from _parts(schema.get("items"))
    for part in schema.get("anyOf", ()):
        yield from _parts(part)

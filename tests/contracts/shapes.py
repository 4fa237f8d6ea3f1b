"""The shape of JSON: keys, their order, types and codes, without the data; and the shapes that are on record.

In a shape a scalar is replaced by its type, as in ``<uuid>``. Values of keys such as ``status`` and ``code`` are part
of the contract and stay. A list is the one shape of all its elements: ``key?`` is missing in some of them, and
``<string> | null`` is what differs. The order of keys is compared, except in the data that the program only hands on.

To rewrite the files after a change of the contract: ``REWRITE_SHAPES=1 pytest tests/contracts``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "shapes"
_LITERAL = frozenset(
    {"action", "answer_type", "cap", "code", "codes", "decided_by", "error_code", "format", "kind", "location"}
    | {"origin", "purpose", "reason_code", "role", "scope", "severity", "state", "status", "stop_reason"}
)
"""Keys whose values are names that programs compare."""
_BY_NAME = frozenset({"assets", "given_answers"})
"""Objects whose keys are data."""
_HANDED_ON = frozenset({"brief", "content", "data", "definition", "schema", "workflow"})
"""Objects that come from outside or from JSON columns; nobody may rely on the order of their keys."""
_OPAQUE = frozenset({"content", "schema", "value"})
"""Documents, their items and their schemas, which have pages and tests of their own."""
_TEXTS = (
    ("uuid", re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
    ("sha256", re.compile(r"[0-9a-f]{64}")),
    ("timestamp Z", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")),
    ("timestamp +00:00", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")),
    ("date", re.compile(r"\d{4}-\d\d-\d\d")),
)
_WIDTH = 110
_DECIMAL = re.compile(r"-?\d+(\.\d+)?")


def shape(*samples: Any, key: str = "", sort: bool = False) -> Any:
    """The one shape of all ``samples``, which stand under ``key``."""
    objects = [one for one in samples if isinstance(one, dict)]
    lists = [one for one in samples if isinstance(one, list)]
    scalars = {_scalar(one, key) for one in samples if not isinstance(one, dict | list)}
    parts: list[Any] = []
    if objects:
        parts.append("<object>" if key in _OPAQUE else _object(objects, key, sort=sort or key in _HANDED_ON))
    if lists:
        elements = [element for one in lists for element in one]
        parts.append([shape(*elements, key=key, sort=sort)] if elements else [])
    if scalars:
        parts.append(" | ".join(sorted(scalars, key=lambda name: (name == "null", name))))
    return parts[0] if len(parts) == 1 else {"one of": parts}


def _object(samples: list[dict[str, Any]], key: str, *, sort: bool) -> dict[str, Any]:
    if key in _BY_NAME:
        values = [value for one in samples for value in one.values()]
        return {"<name>": shape(*values, key=key, sort=sort)} if values else {}
    names = _in_order(samples)
    return {
        name if all(name in one for one in samples) else f"{name}?": shape(
            *(one[name] for one in samples if name in one), key=name, sort=sort
        )
        for name in (sorted(names) if sort else names)
    }


def _in_order(samples: Iterable[dict[str, Any]]) -> list[str]:
    """All keys; those that not every object has stand behind the one that they follow."""
    names: list[str] = []
    for one in samples:
        place = 0
        for name in one:
            if name in names:
                place = names.index(name) + 1
            else:
                names.insert(place, name)
                place += 1
    return names


def _scalar(value: Any, key: str) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "<bool>"
    if isinstance(value, int | float):
        return "<int>" if isinstance(value, int) else "<number>"
    if key in _LITERAL:
        return value
    if key.endswith("usd") and _DECIMAL.fullmatch(value):
        return "<decimal>"
    return f"<{next((name for name, form in _TEXTS if form.fullmatch(value)), 'string')}>"


def steady(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without those of which time decides how many there are."""
    return [event for event in events if event["kind"] != "call_progress"]


def pinned(name: str, found: Any) -> None:
    """Fail unless the file of that name has exactly this."""
    file = FOLDER / f"{name}.json"
    text = _written(found) + "\n"
    if os.environ.get("REWRITE_SHAPES"):
        file.write_text(text, encoding="utf-8")
    before = on_record(name)
    if text != before:
        changes = unified_diff(
            before.splitlines(), text.splitlines(), f"{file.name} on record", "found", lineterm="", n=4
        )
        pytest.fail("\n".join([*changes, f"If that is intended, see {__file__}"]), pytrace=False)


def _written(value: Any, indent: str = "", used: int = 0) -> str:
    """JSON, with whatever fits into a line on one line; ``used``: what stands before it there."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + used + len(line) < _WIDTH or not isinstance(value, dict | list) or not value:
        return line
    deeper = indent + " "
    if isinstance(value, list):
        items, (opened, closed) = [_written(one, deeper) for one in value], "[]"
    else:
        names = {name: json.dumps(name, ensure_ascii=False) for name in value}
        items = [f"{names[name]}: {_written(one, deeper, len(names[name]) + 2)}" for name, one in value.items()]
        opened, closed = "{}"
    return f"{opened}\n{deeper}" + f",\n{deeper}".join(items) + f"\n{indent}{closed}"


def on_record(name: str) -> str:
    """The text of a shape file; empty if there is none."""
    file = FOLDER / f"{name}.json"
    return file.read_text(encoding="utf-8") if file.exists() else ""

"""Reads the fields of a reply. Compatible servers and gateways omit, rename and retype them: nothing here raises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_MOST_TOKENS: Final = 20_000_000
"""More than the context of any model."""
_KINDS_OF_THOUGHT: Final = ("think", "reason")


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one piece of content says: to the reader, to itself, or to decline."""

    text: str = ""
    thoughts: str = ""
    refusal: str = ""


def field(data: object, *path: str) -> Any:
    """The value at this path, or None if any part of it is missing or not an object."""
    for name in path:
        if not isinstance(data, Mapping):
            return None
        data = data.get(name)
    return data


def text(data: object, *path: str) -> str:
    """The string at this path, or an empty one."""
    found = field(data, *path)
    return found if isinstance(found, str) else ""


def entries(data: object, *path: str) -> Sequence[Any]:
    """The list at this path, or an empty one."""
    found = field(data, *path)
    return found if isinstance(found, list) else ()


def tokens(data: object, *path: str) -> int:
    """A number of tokens; 0 if it is missing or impossible (negative, not an integer, beyond any context)."""
    found = field(data, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 < found <= _MOST_TOKENS else 0


def spoken(content: object) -> Spoken:
    """The content of a message: a string, one part, or a list of parts and strings."""
    said = list(_parts(content))
    return Spoken(*("".join(words for kind, words in said if kind == one) for one in ("text", "thoughts", "refusal")))


def _parts(content: object) -> Iterator[tuple[str, str]]:
    if isinstance(content, str):
        yield "text", content
    elif isinstance(content, list):
        for part in content:
            yield from _parts(part)
    elif isinstance(content, Mapping):
        kind = text(content, "type")
        if any(word in kind for word in _KINDS_OF_THOUGHT):
            yield "thoughts", thoughts(content, ("thinking", "reasoning", "text"))
        elif kind == "refusal":
            yield "refusal", text(content, "refusal") or text(content, "text")
        else:
            yield "text", text(content, "text") or text(content, "text", "value") or text(content, "content")


def thoughts(message: object, names: Sequence[str] = ("reasoning_content", "reasoning")) -> str:
    """The model's reasoning, under the first of these names that holds any."""
    for name in names:
        found = "".join(words for _, words in _parts(field(message, name)))
        if found:
            return found
    return ""

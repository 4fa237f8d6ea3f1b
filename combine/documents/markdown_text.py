"""Untrusted text inside Markdown: nothing a person or a model wrote becomes markup."""

from __future__ import annotations

import re
from collections.abc import Container

from combine.formats import storable_text

ID = re.compile(r"(?<![\w-])(?:B-[1-9][0-9]*|Q-[1-9][0-9]*|[A-Z]{2,8}-[0-9]{3})(?![\w-])")
"""Ids of brief sentences, answers and items."""

_ACTIVE = re.compile(r"[\\`*\[\]|~#]|(?<![^\W_])_|_(?![^\W_])")
_LINE_START = re.compile(r"[-+=:]|[0-9]+(?=[.)])")
_BREAKS = re.compile(r"[\t-\r\x1c-\x1f\x85\u2028\u2029 ]+")


def escape(text: str) -> str:
    """The text on one line, to be shown as it is by any Markdown renderer, in a table cell too.

    Control characters and lone surrogates, which no page can show, become U+FFFD.
    """
    line = storable_text(_BREAKS.sub(" ", text).strip())
    start = _LINE_START.match(line)
    safe = _ACTIVE.sub(lambda m: "\\" + m.group(), line)
    if start is not None:
        safe = _escape_start(safe, start.group())
    return re.sub(r"&(?=#?\w+;)", "&amp;", safe).replace("<", "&lt;").replace(">", "&gt;")


def _escape_start(line: str, start: str) -> str:
    """``1.`` and ``1)`` would begin a list, ``-`` a list or a rule."""
    if start.isdigit():
        return f"{start}\\{line[len(start) :]}"
    return "\\" + line


def linked(text: str, anchors: Container[str]) -> str:
    """Escaped text in which every id that has an anchor on this page is a link to it."""
    return ID.sub(lambda m: markdown_link(m.group(), anchors), escape(text))


def markdown_link(item_id: str, anchors: Container[str]) -> str:
    """An id, as a link if it has an anchor on this page."""
    return f"[{item_id}](#{item_id})" if item_id in anchors else escape(item_id)


def anchor(item_id: str) -> str:
    """The anchor of an id; empty if the text is not an id."""
    return f'<a id="{item_id}"></a>' if ID.fullmatch(item_id) else ""


def fenced(text: str) -> str:
    """Text as a code block whose fence is longer than any row of backticks inside."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{storable_text(text)}\n{fence}"


def humanised(name: str) -> str:
    """A field's name as a heading: ``acceptance_criteria`` becomes ``Acceptance criteria``."""
    words = name.replace("_", " ").replace("-", " ").replace("non functional", "non-functional").strip()
    return words[:1].upper() + words[1:]

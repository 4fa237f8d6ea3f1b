"""The blocks of a brief: where the text has prose, headings, list items, table rows, quotes and code.

Everything works on the *shape* of the text: a copy of the same length in which comments and tags are blanked out.
Offsets in the shape are offsets in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

from combine.brief.brief import SentenceKind

_TAGS = (
    "a|abbr|b|blockquote|br|center|code|dd|del|details|div|dl|dt|em|figure|font|h[1-6]|hr|i|img|kbd|li|mark|ol|p|pre|s|"
    "small|span|strong|sub|summary|sup|table|tbody|td|tfoot|th|thead|tr|u|ul"
)
_TAG = re.compile(rf"</?(?:{_TAGS})(?=[\s/>])[^<>]*>", re.IGNORECASE)
_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(?=[\w-]+[ \t]*:)((?:[^\n]*\n)*?)(?:---|\.\.\.)[ \t]*(?=\r?\n|\Z)")
"""Each line can match in only one way; with a second one, the pattern would backtrack over all lines above."""
_LINE_END = re.compile(r"\r\n?|\n")
_UNREADABLE = re.compile("[\x00\ud800-\udfff]")
_BLOT = "\ufffc"
_MARKERS = re.compile(r"(?:[\s>|#*+-]|\d{1,9}[.)](?=\s))*")


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of the text that no sentence crosses."""

    kind: SentenceKind
    start: int
    """Offset of ``shape`` in the text."""
    shape: str
    """As long as the stretch itself; markers of lists and quotes, comments and line ends in it are blank."""
    lines: tuple[int, ...]
    """Offsets in ``shape`` where its lines begin."""
    whole: bool
    """Whether it is always a single sentence."""


def find_blocks(text: str) -> list[Block]:
    """All blocks in order, without overlaps; text outside of blocks is markup."""
    shape = _UNREADABLE.sub("\ufffd", text)
    shape = _TAG.sub(_blot, _without_comments(shape))
    front = _FRONT_MATTER.match(shape)
    if front is None:
        return _Page(shape).blocks()
    below = re.sub(r"[^\r\n]", " ", front.group()) + shape[front.end() :]
    return [*_front_matter(shape, front), *_Page(below).blocks()]


def _without_comments(shape: str) -> str:
    # A pattern would search the whole rest of the text for the end of each unclosed comment.
    parts: list[str] = []
    reached = 0
    while (start := shape.find("<!--", reached)) >= 0 and (end := shape.find("-->", start + 4)) >= 0:
        parts += [shape[reached:start], _blotted(shape[start : end + 3])]
        reached = end + 3
    return "".join([*parts, shape[reached:]])


def _blot(found: re.Match[str]) -> str:
    return _blotted(found.group())


def _blotted(text: str) -> str:
    # Not with blanks: at the beginning of a line they would look like indented code.
    return re.sub(r"\S", _BLOT, text)


def _front_matter(shape: str, front: re.Match[str]) -> Iterator[Block]:
    for line in re.finditer(r"[^\r\n]+", shape[: front.end(1)][front.start(1) :]):
        start = front.start(1) + line.start()
        yield Block(SentenceKind.PROSE, start, line.group().replace(_BLOT, " "), (0,), whole=True)


class _Page:
    """One pass over the parsed text."""

    def __init__(self, shape: str) -> None:
        self._shape = shape
        ends = list(_LINE_END.finditer(shape))
        self._starts = [0, *(end.end() for end in ends)]
        self._ends = [*(end.start() for end in ends), len(shape)]
        self._seen = [False] * len(self._starts)
        self._containers: list[SentenceKind] = []

    def blocks(self) -> list[Block]:
        found: list[Block] = []
        tokens = _parser().parse(self._shape)
        for n, token in enumerate(tokens):
            self._enter_or_leave(token)
            if token.map is None:
                continue
            first, last = token.map[0], min(token.map[1], len(self._starts))
            if token.type in {"fence", "code_block"}:
                found += self._code(token, first, last)
            elif token.type in {"paragraph_open", "heading_open"}:
                found += self._words(token, tokens[n + 1].content, first, last)
            elif token.type == "tr_open":
                cell = next((t.content for t in tokens[n + 1 : n + 40] if t.type == "inline" and t.content), "")
                found += self._row(cell, first)
            elif token.type in {"hr", "table_open"}:
                self._see(first, last)
        found += self._overlooked()
        return sorted((block for block in found if block.shape), key=lambda block: block.start)

    def _enter_or_leave(self, token: Token) -> None:
        if token.type == "list_item_open":
            self._containers.append(SentenceKind.LIST_ITEM)
        elif token.type == "blockquote_open":
            self._containers.append(SentenceKind.QUOTE)
        elif token.type in {"list_item_close", "blockquote_close"}:
            self._containers.pop()

    def _see(self, first: int, last: int) -> None:
        self._seen[first:last] = [True] * (last - first)

    def _code(self, token: Token, first: int, last: int) -> Iterator[Block]:
        self._see(first, last)
        begin = first + 1 if token.type == "fence" else first
        end = begin + len(token.content.rstrip("\n").split("\n")) if token.type == "fence" else last
        # A block of code has no inner structure that we know, so only its outer edges are looked for.
        content = [line.strip() for line in token.content.split("\n") if line.strip()]
        lines = [n for n in range(begin, min(end, last)) if self._line(n).strip()]
        if not content or not lines:
            return
        found = self._line(lines[0]).find(content[0])
        start = self._starts[lines[0]] + max(found, 0)
        yield self._block(SentenceKind.CODE, [(start, self._ends[lines[-1]])], whole=True)

    def _words(self, token: Token, content: str, first: int, last: int) -> Iterator[Block]:
        self._see(first, last)
        heading = token.type == "heading_open"
        kind = SentenceKind.HEADING if heading else self._container()
        spans = self._content_spans(content, first, last)
        if spans is None:
            spans = [self._trimmed(n) for n in range(first, last)]
        yield self._block(kind, spans, whole=heading)

    def _content_spans(self, content: str, first: int, last: int) -> list[tuple[int, int]] | None:
        """Where each line of a token's content begins; None if the parser has changed the content too much."""
        wanted = [line.strip() for line in content.split("\n")]
        spans: list[tuple[int, int]] = []
        for n in range(first, last):
            if len(spans) == len(wanted):
                break
            line, piece = self._line(n), wanted[len(spans)]
            # rfind: what closes a heading may follow, what opens a list or a quote comes before it.
            at = line.rfind(piece)
            rest = line[at + len(piece) :] if at >= 0 else ""
            if at >= 0 and not rest.strip(" \t#").strip():
                spans.append((self._starts[n] + at, self._starts[n] + at + len(piece)))
        return spans if len(spans) == len(wanted) else None

    def _row(self, first_cell: str, line: int) -> Iterator[Block]:
        start, end = self._trimmed(line)
        at = self._shape.find(re.split(r"[\\|]", first_cell)[0], self._starts[line], end) if first_cell else -1
        if first_cell and self._starts[line] <= at < start and not self._shape[self._starts[line] : at].strip(" \t|>"):
            start = at
        shape = self._shape[start:end].rstrip(" \t|")
        yield self._block(SentenceKind.TABLE_ROW, [(start, start + len(shape))], whole=True)

    def _overlooked(self) -> Iterator[Block]:
        """Lines the parser gave up on, as it does below a depth of nesting."""
        for n, seen in enumerate(self._seen):
            if not seen and any(letter.isalnum() for letter in self._line(n)):
                yield self._block(SentenceKind.PROSE, [self._trimmed(n)], whole=False)

    def _block(self, kind: SentenceKind, spans: list[tuple[int, int]], *, whole: bool) -> Block:
        start = spans[0][0]
        parts: list[str] = []
        reached = start
        for begin, end in spans:
            parts += [" " * (begin - reached), self._shape[begin:end]]
            reached = end
        return Block(kind, start, "".join(parts).replace(_BLOT, " "), tuple(begin - start for begin, _ in spans), whole)

    def _trimmed(self, line: int) -> tuple[int, int]:
        start, end = self._starts[line], self._ends[line]
        found = _MARKERS.match(self._shape, start, end)
        return (found.end() if found else start), end

    def _line(self, n: int) -> str:
        return self._shape[self._starts[n] : self._ends[n]]

    def _container(self) -> SentenceKind:
        return self._containers[-1] if self._containers else SentenceKind.PROSE


def _parser() -> MarkdownIt:
    # Only the structure of blocks is needed. Link definitions and raw HTML would swallow words.
    parser = MarkdownIt("commonmark").enable("table").disable(["reference", "html_block"])
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser

"""The sentences of a block."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import sentencex

from combine.brief.blocks import Block
from combine.brief.brief import UNKNOWN_LANGUAGE, SentenceKind

_TERMINATORS = re.compile(
    "[.!?\u2026\u3002\uff01\uff0e\uff1f\uff61\u061f\u06d4\u0964\u0965\u2047-\u2049\u203c\u0589\u1362\u104a\u104b]"
)
_WIDE_STOP = re.compile("[\u3002\uff01\uff1f\uff61](?=[0-9A-Za-z\uff10-\uff19\uff21-\uff3a\uff41-\uff5a])")
"""An end of a sentence that the splitter misses: directly before a digit or a Latin letter, without a blank."""
_WIDE_BLANK = re.compile(r"[^\S\n]")
_WINDOW = 4_000
"""Characters given to the splitter at once: its time grows with the square of the length for unclosed quotes."""
_WIDEST = 2 * _WINDOW
"""Characters given to it where a window holds no end of a sentence. Anything longer is not prose."""

_COSTLY = frozenset({"ca", "da", "oc"})
"""Languages in which the splitter takes a third of a millisecond for every stop."""
_MANY_STOPS, _DENSE_STOPS = 4_000, 250
"""With more of them in a brief, or in one window, the splitter's English rules are used for these languages."""

_BULLET = re.compile(
    r"\s*(?:[\u2022\u2023\u25e6\u25aa\u25cf\u25cb\u2013\u2014\u00b7\u2043]|\(?(?:\d{1,3}|[a-zA-Z])\))\s+"
)
_LABEL = re.compile(r"\s*[^\W_a-z][^:.!?\n]{0,40}:(?:\s|$)")
_TASK_BOX = re.compile(r"\[[ xX]\]\s+")

_ORDINAL_BEFORE = (
    "der die das dem den des am im vom zum zur beim jeder jede jedes jeden jedem ein eine einen einem einer eines"
)
_WORDS_BEFORE = 400
"""Characters before an end that are looked at for the words before it."""
_LONGEST_ABBREVIATION = 5
"""Letters; longer words before a stop end a sentence in a language whose abbreviations are not known."""
_NO_END = {
    "de": frozenset({"gez.", "hr.", "fr.", "lfd.", "o.g.", "sog.", "zzgl.", "inkl.", "evtl."}),
    "fr": frozenset({"m.", "mm.", "mme.", "mlle.", "me.", "art.", "env."}),
}


def sentence_spans(blocks: Sequence[Block], language: str) -> Iterator[tuple[SentenceKind, int, int]]:
    """Kind and offsets of each sentence of the blocks, without surrounding blanks and markers.

    The time it takes is linear in the length of the blocks, whatever they contain.
    """
    if language in _COSTLY and sum(_stops(block.shape) for block in blocks if not block.whole) > _MANY_STOPS:
        language = "en"
    for block in blocks:
        for kind, begin, end in _line_groups(block):
            pieces = [(begin, end)] if block.whole else _sentences(block.shape, begin, end, language)
            for start, stop in _with_words(block.shape, pieces):
                yield kind, start + block.start, stop + block.start


def _with_words(shape: str, pieces: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    kept: tuple[int, int] | None = None
    for piece in pieces:
        trimmed = _trim(shape, *piece)
        if trimmed is None:
            continue
        if any(letter.isalnum() for letter in shape[trimmed[0] : trimmed[1]]):
            if kept is not None:
                yield kept
            kept = trimmed
        elif kept is not None:
            # A closing bracket or an ellipsis of its own belongs to the sentence before.
            kept = (kept[0], trimmed[1])
    if kept is not None:
        yield kept


def _trim(shape: str, start: int, end: int) -> tuple[int, int] | None:
    text = shape[start:end]
    left = len(text) - len(text.lstrip())
    marker = _TASK_BOX.match(text, left)
    if marker and any(letter.isalnum() for letter in text[marker.end() :]):
        left = marker.end()
    right = len(text.rstrip())
    return (start + left, start + right) if left < right else None


def _line_groups(block: Block) -> Iterator[tuple[SentenceKind, int, int]]:
    """The block cut before lines that begin with a typed bullet, or with a label where several do."""
    ends = [*block.lines[1:], len(block.shape)]
    lines = [] if block.whole else list(zip(block.lines, ends, strict=True))
    labels = sum(1 for start, end in lines if _LABEL.match(block.shape, start, end)) > 1
    begin, kind = 0, block.kind
    for n, (start, end) in enumerate(lines):
        bullet = _BULLET.match(block.shape, start, end)
        if n and (bullet or (labels and _LABEL.match(block.shape, start, end))):
            yield kind, begin, start
            begin, kind = start, block.kind
        if bullet and any(letter.isalnum() for letter in block.shape[bullet.end() : end]):
            # The splitter treats everything after a bullet as one sentence.
            begin = bullet.end()
            kind = SentenceKind.LIST_ITEM if kind is SentenceKind.PROSE else kind
    yield kind, begin, len(block.shape)


def _sentences(shape: str, start: int, end: int, language: str) -> Iterator[tuple[int, int]]:
    if not _TERMINATORS.search(shape, start, end):
        yield start, end
        return
    begin = start
    for cut in _cuts(shape, start, end, language):
        piece = shape[max(begin, cut - _WORDS_BEFORE) : cut]
        if cut < end and not _goes_on(piece, shape[cut : cut + 1], language):
            yield begin, cut
            begin = cut
    yield begin, end


def _cuts(shape: str, start: int, end: int, language: str) -> Iterator[int]:
    """Where the splitter would end a sentence, window by window; the last of a window is looked at again.

    So each character is read little more than once. Where much of the text would be read twice, it looks at nothing
    longer than half a window again, and a sentence that does not end in a window continues in the next.
    """
    window, spare = _WINDOW, (end - start) // 2 + _WIDEST
    while start < end:
        stop = min(start + window, end)
        lengths = _lengths(shape[start:stop], language)
        last = 0 if stop == end else lengths.pop()
        spare -= last
        if not lengths and window < _WIDEST and spare > 0:
            window = _WIDEST
            continue
        spare = spare if lengths else 0
        for length in lengths:
            start += length
            yield start
        if stop == end or (spare <= 0 and last > _WINDOW // 2):
            start = stop
        window = _WINDOW


def _lengths(piece: str, language: str) -> list[int]:
    if language in _COSTLY and _stops(piece) > _DENSE_STOPS:
        language = "en"
    rules = "en" if language == UNKNOWN_LANGUAGE else language
    # The splitter panics on some blanks of more than one byte.
    sentences = sentencex.segment(rules, _WIDE_BLANK.sub(" ", piece))
    return [len(part) for sentence in sentences for part in _parts(sentence)]


def _stops(shape: str) -> int:
    return len(_TERMINATORS.findall(shape))


def _parts(piece: str) -> Iterator[str]:
    begin = 0
    for stop in _WIDE_STOP.finditer(piece):
        yield piece[begin : stop.end()]
        begin = stop.end()
    yield piece[begin:]


def _goes_on(piece: str, following: str, language: str) -> bool:
    """Whether the splitter took an abbreviation or an ordinal for the end of a sentence."""
    words = piece.rstrip().rsplit(maxsplit=2)
    last = words[-1] if words else ""
    if not last.endswith("."):
        return False
    stem = last[:-1].strip("(\"'\u201e\u201c\u00ab")
    if language == UNKNOWN_LANGUAGE and _is_abbreviation(stem, following):
        return True
    if last.lower() in _NO_END.get(language, frozenset()):
        return True
    if stem.isdecimal() and language == "de" and len(words) > 1 and words[-2].lower() in _ORDINAL_BEFORE.split():
        return True
    return following.islower() and (stem.isdecimal() or len(stem) == 1 or "." in stem)


def _is_abbreviation(stem: str, following: str) -> bool:
    """A guess for languages without a list: a short word before a lower-case letter, or an initial in other scripts."""
    is_initial = len(stem) == 1 and not stem.isascii()
    return is_initial or (following.islower() and len(stem) <= _LONGEST_ABBREVIATION)

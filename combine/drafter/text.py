"""Words of a sentence: without its markup, shortened, and quoted so that code finds the quote again."""

from __future__ import annotations

import re

from combine.documents.quotes import contains_quote, long_enough
from combine.documents.words import is_spaceless, word_count

MAX_QUOTE_WORDS = 25
MIN_QUOTE_WORDS = 3
MIN_HEAD_WORDS, MIN_COMMA_WORDS = 4, 6

_MARKER = re.compile(
    r"\s*(?:#{1,6}\s+|>+\s*|[-*+\u2022\u2013\u30fb]\s+(?:\[[ xX]\]\s+)?|\(?\d{1,3}[.)]\s+|[a-z][.)]\s+)+"
)
_LINK = re.compile(r"!?\[([^\]]+)\]\((?:[^()]|\([^()]*\))*\)")
_EMPHASIS = re.compile(r"(\*\*|__|`+|~~)(?=\S)(.+?)(?<=\S)\1")
_CELL = re.compile(r"(?:^|\s+)\|(?:\s+|$)")
_DUTY = re.compile(
    r"(?:must|shall|should|can|may|needs? to|wants? to|has to|have to|muss|müssen|soll|sollen|kann|können|darf|dürfen|"
    r"möchten?|wollen|will)\b",
    re.IGNORECASE,
)
_BREAK = re.compile(r"[,;:\u2013\u2014(]\s|\s[\u2013\u2014-]\s")
_CLAUSE_END = re.compile(r"[;:(]\s|\s[\u2013\u2014-]\s|\s\(")
_HEAD_BREAK = re.compile(r"\s(?:and|or|with|if|when|because|so that|und|oder|mit|wenn|damit|weil)\s")
_COMMA = re.compile(r",\s")
_END = " \t.,;:!?\u3002\u2026\u061f\uff01\uff1f"


def clean(text: str) -> str:
    """The words of a sentence without list, heading, table and emphasis marks, on one line."""
    body = _MARKER.sub("", text, count=1) if _MARKER.match(text) else text
    if _CELL.search(body):
        body = _row([cell for cell in _CELL.split(body.strip()) if cell])
    body = _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", body))
    return " ".join(body.split()) or " ".join(text.split())


def _row(cells: list[str]) -> str:
    """A table row as words: "customers | order cakes" reads as a sentence, more cells as a list or as remarks on it."""
    if len(cells) <= 2:  # noqa: PLR2004
        return " ".join(cells)
    who, what, *more = cells
    return f"{who} {what} ({', '.join(more)})" if _DUTY.match(what) else ", ".join(cells)


def bare(text: str) -> str:
    """The text without punctuation at its end."""
    stripped = text.rstrip(_END)
    if text.startswith(stripped) and re.search(r"\b(?:[ap]\.m|[a-z]\.[a-zA-Z]|etc|usw)$", stripped):
        return stripped + "."
    return stripped or text


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    """The text with its first letter in lower case, unless its first word is a name or an abbreviation."""
    word = text.split(" ", 1)[0]
    return text if any(c.isupper() for c in word[1:]) or word == "I" else text[:1].lower() + text[1:]


def sentence(text: str) -> str:
    """The text as a sentence: capital first, a stop at the end."""
    body = text.strip()
    return capital(body) if body[-1:] in ".!?\u3002\u2026\u061f\uff01\uff1f\u201d" else capital(body) + "."


def shorten(text: str, words: int) -> str:
    """At most so many words, cut after a clause where one ends late enough, with an ellipsis."""
    if word_count(text) <= words:
        return text
    kept = _first_words(text, words - 1)
    breaks = [m.start() for m in _BREAK.finditer(kept) if m.start() > len(kept) * 0.5]
    return bare(kept[: breaks[-1]] if breaks else kept) + " \u2026"


def headline(text: str, words: int) -> str:
    """A few words that can head an item: cut where a clause ends rather than in the middle of a thought."""
    if word_count(text) <= words:
        return bare(text)
    kept = _first_words(text, words)
    for breaks, least in ((_CLAUSE_END, MIN_HEAD_WORDS), (_HEAD_BREAK, MIN_HEAD_WORDS), (_COMMA, MIN_COMMA_WORDS)):
        ends = [m.start() for m in breaks.finditer(kept) if word_count(kept[: m.start()]) >= least]
        end = ends[0 if breaks is _CLAUSE_END else -1] if ends else 0
        if end and (breaks is not _HEAD_BREAK or "," not in kept[:end]):
            return bare(kept[:end])
    return shorten(text, words)


def quote(text: str, around: str = "") -> str:
    """Consecutive words of the text, few but enough: the part with ``around`` in it if that is given."""
    whole = " ".join(text.split())
    body = whole[m.end() :] if (m := _MARKER.match(whole)) else whole
    found = body.find(around) if around else -1
    for candidate in (_window(body, max(found, 0)), bare(_first_words(body, MAX_QUOTE_WORDS)), body, whole):
        if candidate and long_enough(candidate, text) and contains_quote(text, candidate):
            return candidate
    return whole


def _window(body: str, at: int) -> str:
    """The clause that holds the place, lengthened to three words and cut where it gets too long."""
    if word_count(body) <= MAX_QUOTE_WORDS:
        return bare(body)
    starts = [0, *(m.end() for m in _BREAK.finditer(body) if m.end() <= at)]
    for start in reversed(starts):
        cut = _first_words(body[start:], MAX_QUOTE_WORDS)
        if at < start + len(cut) and word_count(cut) >= MIN_QUOTE_WORDS:
            return bare(cut)
    start = body.rfind(" ", 0, at) + 1
    return bare(_first_words(body[start:], MAX_QUOTE_WORDS))


def _first_words(text: str, limit: int) -> str:
    """The longest beginning of at most so many words that ends at the end of a word."""
    ends = [m.end() for m in re.finditer(r"\S+", text)]
    if any(map(is_spaceless, text)):
        ends = sorted({*ends, *(i + 1 for i, c in enumerate(text) if is_spaceless(c))})
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high + 1) // 2
        if word_count(text[: ends[middle - 1]]) <= limit:
            low = middle
        else:
            high = middle - 1
    return text[: ends[low - 1]] if low else text[:1]

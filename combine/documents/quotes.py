"""Whether a quote really occurs in the text it cites.

Folded before comparing: whitespace, case, typographic quotes and dashes, and Unicode forms that look and mean the
same. Never folded: digits in superscript or fractions, for they would change a number.
"""

from __future__ import annotations

import re
import unicodedata

from combine.documents.words import is_spaceless, is_word_char, spaced_words, spaceless_letters

MIN_WORDS = 3
MIN_SPACELESS_LETTERS = 8
LONG_QUOTE_WORDS = 25
"""Longer quotes get a hint: the part that supports the claim is shorter."""

_SAFE_FORMS = frozenset(
    [
        "<wide>",
        "<narrow>",
        "<noBreak>",
        "<compat>",
        "<initial>",
        "<medial>",
        "<final>",
        "<isolated>",
        "<font>",
        "<vertical>",
        "<small>",
        "<square>",
    ]
)
_QUOTES = "'\u2018\u2019\u201a\u201b\u2032\u02bc`\u00b4\"\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\u2039\u203a"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043"
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff\u200e\u200f"
_TABLE = str.maketrans(dict.fromkeys(_QUOTES, "'") | dict.fromkeys(_DASHES, "-") | dict.fromkeys(_INVISIBLE, None))
_OUTER = " '.,;:!?()[]\u3001\u3002\u061f\u060c\u300c\u300d"
_NUMBER_BEFORE = re.compile(r"\d[.,']\Z")
_NUMBER_AFTER = re.compile(r"[.,']\d")


def fold(text: str) -> str:
    """The text in the normal form in which quotes are compared."""
    composed = unicodedata.normalize("NFC", text)
    if not composed.isascii():
        composed = unicodedata.normalize("NFC", "".join(map(_plain_form, composed)))
    return " ".join(composed.translate(_TABLE).casefold().split())


def contains_quote(text: str, quote: str) -> bool:
    """Whether the quote occurs in the text, folded, as whole words and whole numbers."""
    return holds_folded(fold(text), fold_quote(quote))


def fold_quote(quote: str) -> str:
    """The quote in the form in which it is looked for in a folded text."""
    return fold(quote).strip(_OUTER)


def holds_folded(folded: str, wanted: str) -> bool:
    """``contains_quote`` for a text and a quote that are both folded already."""
    start = folded.find(wanted) if wanted else -1
    while start >= 0:
        if _is_whole(folded, start, start + len(wanted)):
            return True
        start = folded.find(wanted, start + 1)
    return False


def long_enough(quote: str, text: str) -> bool:
    """Whether the quote is long enough to be unambiguous: three words, or eight letters of a script without spaces,
    or the whole text.
    """
    if says_enough(quote):
        return True
    wanted = fold_quote(quote)
    return bool(wanted) and wanted == fold_quote(text)


def says_enough(quote: str) -> bool:
    """Whether the quote is long enough in any text."""
    words = spaced_words(quote)
    letters = spaceless_letters(quote)
    return words >= MIN_WORDS or (letters > 0 and letters + 2 * words >= MIN_SPACELESS_LETTERS)


def _plain_form(char: str) -> str:
    form = unicodedata.decomposition(char).partition(" ")[0]
    return unicodedata.normalize("NFKC", char) if form in _SAFE_FORMS else char


def _is_whole(text: str, start: int, end: int) -> bool:
    return (
        not _same_word(text, start)
        and not _same_word(text, end)
        and not (text[start].isdigit() and _NUMBER_BEFORE.search(text, max(0, start - 2), start))
        and not (text[end - 1].isdigit() and _NUMBER_AFTER.match(text, end))
    )


def _same_word(text: str, at: int) -> bool:
    """Whether the characters before and at this place belong to one word."""
    if at in (0, len(text)):
        return False
    before, here = text[at - 1], text[at]
    if not (is_word_char(before) and is_word_char(here)):
        return False
    if before.isdigit() and here.isdigit():
        return True
    return not (is_spaceless(before) or is_spaceless(here)) or unicodedata.category(here).startswith("M")

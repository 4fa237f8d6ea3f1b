"""Counting and comparing words in any script, also in those that put no spaces between them."""

from __future__ import annotations

import re
import unicodedata

_SPACELESS = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Myanmar, Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    "\U00020000-\U0003ffff"
    "]"
)
_SPACELESS_RUN = re.compile(f"{_SPACELESS.pattern}+")
_TOKEN = re.compile(r"\w+(?:['\u2019]\w+)*")
_ID = re.compile(r"\b[A-Z]{1,8}-\d+\b")


def spaceless_letters(text: str) -> int:
    """How many letters of scripts without spaces the text has."""
    return 0 if text.isascii() else len(_SPACELESS.findall(text))


def is_spaceless(char: str) -> bool:
    """Whether the character belongs to a script without spaces between words."""
    return _SPACELESS.match(char) is not None


def is_word_char(char: str) -> bool:
    """Whether the character is part of a word: a letter, a digit or a mark on one."""
    return char.isalnum() or unicodedata.category(char).startswith("M")


def spaced_words(text: str) -> int:
    """Words between spaces; runs of a script without spaces do not count."""
    words = (text if text.isascii() else _SPACELESS.sub(" ", text)).split()
    return sum(1 for word in words if word[0].isalnum() or any(map(is_word_char, word)))


def word_count(text: str) -> int:
    """Words of a text; in scripts without spaces two letters count as one word."""
    return spaced_words(text) + (spaceless_letters(text) + 1) // 2


def distinct_words(text: str) -> frozenset[str]:
    """The different words of a text, folded, without ids; pairs of letters in scripts without spaces."""
    folded = unicodedata.normalize("NFKC", _ID.sub(" ", text)).casefold()
    if folded.isascii() or not _SPACELESS.search(folded):
        return frozenset(_TOKEN.findall(folded))
    found = set(_TOKEN.findall(_SPACELESS.sub(" ", folded)))
    for run in _SPACELESS_RUN.findall(folded):
        found.update(run[i : i + 2] for i in range(max(1, len(run) - 1)))
    return frozenset(found)


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Share of common words among all words of both, 0 to 1."""
    both = one | other
    return len(one & other) / len(both) if both else 0.0

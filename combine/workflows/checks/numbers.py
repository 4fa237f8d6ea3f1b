"""Numbers in texts, comparable across ways of writing them."""

from __future__ import annotations

import re
import unicodedata

_ID = re.compile(r"\b[A-Z]{1,8}-\d+\b")
_NUMBER = re.compile(r"\d+(?:[.,'\u2019\u00a0\u202f]\d+)*")
_GROUPED = re.compile(r"\d{1,3}(?:([.,'\u2019\u00a0\u202f])\d{3})(?:\1\d{3})*")
_WORDS = (
    ("one", "ein", "eine", "einen", "einem", "einer", "un", "une", "una", "uno", "a", "an", "single"),
    ("two", "zwei", "deux", "dos", "both", "beide", "twice", "pair"),
    ("three", "drei", "trois", "tres"),
    ("four", "vier", "quatre", "cuatro"),
    ("five", "fünf", "cinq", "cinco"),
    ("six", "sechs", "seis"),
    ("seven", "sieben", "sept", "siete"),
    ("eight", "acht", "huit", "ocho"),
    ("nine", "neun", "neuf", "nueve"),
    ("ten", "zehn", "dix", "diez"),
    ("eleven", "elf", "onze", "once"),
    ("twelve", "zwölf", "douze", "doce", "dozen"),
)


def written_numbers(text: str) -> frozenset[str]:
    """The numbers written in digits, without those of ids; ``1,000`` and ``1.000`` are ``1000``."""
    plain = "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in _ID.sub(" ", text))
    return frozenset(_one_form(number) for number in _NUMBER.findall(plain))


def all_numbers(text: str) -> frozenset[str]:
    """The same and those written as words, one to twelve, in a few languages."""
    words = set(re.findall(r"\w+", text.casefold()))
    spelt = {str(value) for value, names in enumerate(_WORDS, start=1) if not words.isdisjoint(names)}
    return written_numbers(text) | spelt


def _one_form(number: str) -> str:
    if _GROUPED.fullmatch(number):
        number = re.sub(r"\D", "", number)
    number = re.sub(r"[,'\u2019\u00a0\u202f]", ".", number)
    return number.lstrip("0") or "0"

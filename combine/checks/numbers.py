"""Numbers in texts, normalised so that different notations can be compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

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
_SPELT: Mapping[str, str] = MappingProxyType(
    {name: str(value) for value, names in enumerate(_WORDS, start=1) for name in names}
)
_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")
_NO_DIGIT = re.compile(r"\D")
_SEPARATOR = re.compile(r"[,'\u2019\u00a0\u202f]")


def written_numbers(text: str) -> frozenset[str]:
    """The numbers written in digits, without those of ids; ``1,000`` and ``1.000`` are ``1000``."""
    if not _DIGIT.search(text):
        return frozenset()
    plain = _OTHER_DIGIT.sub(lambda found: str(unicodedata.digit(found.group())), _ID.sub(" ", text))
    return frozenset(map(_one_form, _NUMBER.findall(plain)))


def all_numbers(text: str) -> frozenset[str]:
    """The same and those written as words, one to twelve, in a few languages."""
    return written_numbers(text).union(_SPELT[word] for word in _SPELT.keys() & _WORD.findall(text.casefold()))


def _one_form(number: str) -> str:
    if _GROUPED.fullmatch(number):
        number = _NO_DIGIT.sub("", number)
    number = _SEPARATOR.sub(".", number)
    return number.lstrip("0") or "0"

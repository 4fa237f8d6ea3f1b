"""The main language of a text, as an ISO 639-1 code."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

_UNSEEN = re.compile("[\ud800-\udfff]")
_SAMPLE = 20_000
_SURE_WORDS = 3
"""So many function words of one language, and twice those of the next, settle it; in a short text the most do."""
_SHORT = 60
"""Fewer letters than this tell a statistical model too little."""
_DEFAULT = "en"

_SCRIPTS: Mapping[str, str] = {
    "kana": "\u3040-\u30ff\uff66-\uff9d",
    "hangul": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3",
    "han": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff",
    "arabic": "\u0620-\u064a\u066e-\u06d3\ufb50-\ufdff\ufe70-\ufefc",
    "hebrew": "\u05d0-\u05ea",
    "greek": "\u0370-\u03ff\u1f00-\u1fff",
    "cyrillic": "\u0400-\u04ff",
    "devanagari": "\u0900-\u097f",
    "bengali": "\u0980-\u09ff",
    "tamil": "\u0b80-\u0bff",
    "telugu": "\u0c00-\u0c7f",
    "thai": "\u0e00-\u0e7f",
    "georgian": "\u10a0-\u10ff",
    "armenian": "\u0530-\u058f",
    "latin": "a-zA-Z\u00c0-\u024f\u1e00-\u1eff",
}
_ONE_LANGUAGE: Mapping[str, str] = {
    "hangul": "ko",
    "hebrew": "he",
    "greek": "el",
    "bengali": "bn",
    "tamil": "ta",
    "telugu": "te",
    "thai": "th",
    "georgian": "ka",
    "armenian": "hy",
}
_SHARED_SCRIPT: Mapping[str, str] = {"arabic": "ar", "cyrillic": "ru", "devanagari": "hi"}
"""Scripts of several languages, with the one to take where the text is too short to tell."""
_FUNCTION_WORDS: Mapping[str, str] = {
    "en": "the and of to is are for with that this we our be it not from should must will which they",
    "de": "der die und das ist nicht mit für ein eine wir soll den dem werden sind auf auch oder zu",
    "fr": "le les des est une nous pour dans avec que qui sur pas aux doit être sont du et ou",
    "es": "el los las una para con que por del como más debe nuestro sus está y son se lo",
    "it": "il gli che di per una con non sono della nel alla deve è dei delle più anche e si",
    "pt": "os uma para com não que do da em dos das por são nosso deve ao mais e também é",
    "nl": "de het een en van voor met niet wij zijn dat moet op ook aan worden wordt onze te bij",
    "pl": "nie jest się na do że oraz dla są przez musi lub jak co być który nasz z w i",
    "sv": "och att det som för inte med är av till den ett ska vi på kan vara",
    "da": "og at det som ikke med er af til den et skal vi på kan være også",
}


def detect_language(text: str) -> str:
    """The main language: by script where that settles it, by function words next, by a trained model last."""
    sample = _UNSEEN.sub("", text[:_SAMPLE])
    counts = {script: len(re.findall(f"[{letters}]", sample)) for script, letters in _SCRIPTS.items()}
    letters = sum(counts.values())
    if not letters:
        return _DEFAULT
    # A few kana mark a text as Japanese, however many Han characters there are.
    if counts["kana"] * 20 >= counts["kana"] + counts["han"] > 0 and counts["han"] + counts["kana"] >= counts["latin"]:
        return "ja"
    script = max(counts, key=lambda name: counts[name])
    if script in _ONE_LANGUAGE:
        return _ONE_LANGUAGE[script]
    if script in {"han", "kana"}:
        return "zh" if script == "han" else "ja"
    short = letters < _SHORT
    if script != "latin":
        return _SHARED_SCRIPT[script] if short else _by_model(sample)
    return _by_function_words(sample, short=short) or (_DEFAULT if short else _by_model(sample))


def _by_function_words(sample: str, *, short: bool) -> str | None:
    words = Counter(re.findall(r"[^\W\d_]+", sample.lower()))
    scores = sorted(
        ((sum(words[word] for word in known.split()), language) for language, known in _FUNCTION_WORDS.items()),
        reverse=True,
    )
    (best, language), (second, _) = scores[0], scores[1]
    settled = best > second if short else best >= _SURE_WORDS and best >= 2 * second
    return language if settled else None


def _by_model(sample: str) -> str:
    # numpy and the model take most of a second to load; most briefs are settled before.
    import py3langid  # noqa: PLC0415

    language: str = py3langid.classify(sample)[0]
    return language

"""The main language of a text, as an ISO 639-1 code, where script or function words identify it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from combine.brief.brief import UNKNOWN_LANGUAGE

_UNSEEN = re.compile("[\ud800-\udfff]")
_SAMPLE = 20_000
_SURE_WORDS = 3
"""This many function words of one language, and twice as many as of any other, identify it."""
_SHORT, _SURE_WORDS_OF_SHORT = 60, 2
"""In a text of fewer letters this many words identify it, if they are more than those of any other language."""

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
    "han": "zh",
    "kana": "ja",
}
_FUNCTION_WORDS: Mapping[str, str] = {
    "en": "the and of to is are for with that this we our be it not from should must will which they by each every can "
    "when who their has into only there all more what",
    "de": "der die und das ist nicht mit für ein eine wir soll den dem werden sind auf auch oder zu im von bei nach "
    "dass kann muss können jede jeder alle durch einen einer wird sie",
    "fr": "le les des est une nous pour dans avec que qui sur pas aux doit être sont du et ou au par leur notre chaque "
    "tous toutes cette plus ne sans peut elle",
    "es": "el los las una para con que por del como más debe nuestro sus está y son se lo al cada todos todas sin hay "
    "tiene puede nuestra pero donde sobre uno unos",
    "it": "il gli che di per una con non sono della nel alla deve è dei delle più anche e si dal degli ogni tutti "
    "tutte può essere nostro nostra senza dove ai dalla nelle sul",
    "pt": "os uma para com não que do da em dos das por são nosso deve ao mais e também é um pela pelo sem pode nossa "
    "às até num numa seu sua onde aos",
    "nl": "de het een en van voor met niet wij zijn dat moet op ook aan worden wordt onze te bij door naar kunnen elke "
    "deze uit tot geen zich ons heeft waar",
    "pl": "nie jest się oraz dla są przez musi lub jak co być który nasz z w ze która które którym każdy każda każde "
    "wszystkie mają mogą może ich ten tego przy bez przed",
    "sv": "och att för inte är av till ett ska vara från måste kunna varje där vår vårt utan mer deras också bli blir",
    "da": "og at for ikke er af til et skal være også fra hvor hver kunne vores uden deres blive bliver hvordan",
}
"""Of related languages, words that tell them apart: what Swedish and Danish share is left out."""


def detect_language(text: str) -> str:
    """The main language: by script where only one language is written in it, else by function words.

    ``UNKNOWN_LANGUAGE`` if neither identifies it.
    """
    sample = _UNSEEN.sub("", text[:_SAMPLE])
    counts = {script: len(re.findall(f"[{letters}]", sample)) for script, letters in _SCRIPTS.items()}
    letters = sum(counts.values())
    if not letters:
        return UNKNOWN_LANGUAGE
    # A few kana mark a text as Japanese, however many Han characters there are.
    if counts["kana"] * 20 >= counts["kana"] + counts["han"] > 0 and counts["han"] + counts["kana"] >= counts["latin"]:
        return "ja"
    script = max(counts, key=lambda name: counts[name])
    if script == "latin":
        return _by_function_words(sample, short=letters < _SHORT)
    return _ONE_LANGUAGE.get(script, UNKNOWN_LANGUAGE)


def _by_function_words(sample: str, *, short: bool) -> str:
    words = Counter(re.findall(r"[^\W\d_]+", sample.lower()))
    scores = sorted(
        ((sum(words[word] for word in known.split()), language) for language, known in _FUNCTION_WORDS.items()),
        reverse=True,
    )
    (best, language), (second, _) = scores[0], scores[1]
    settled = best >= max(_SURE_WORDS_OF_SHORT, second + 1) if short else best >= max(_SURE_WORDS, 2 * second)
    return language if settled else UNKNOWN_LANGUAGE

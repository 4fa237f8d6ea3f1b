"""What can be cited: brief sentences, answers, assumptions and items, with their texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from combine.checks.context import CheckContext
from combine.checks.walk import Walked
from combine.documents.items import item_text
from combine.documents.quotes import MIN_WORDS, fold, fold_quote, holds_folded, long_enough, says_enough
from combine.documents.words import spaced_words, spaceless_letters


class Known:
    """Ids and their texts; immutable after construction except for its caches."""

    def __init__(self, context: CheckContext, walked: Walked) -> None:
        self.sentences = tuple(s.id for s in context.brief.sentences)
        self.answers = tuple(a.id for a in context.answers)
        self.own = frozenset(i.id for i in walked.items)
        self._said: dict[str, list[str | Mapping[str, Any]]] = {}
        """Texts and items by id; the texts of most items are never needed."""
        self._texts: dict[str, tuple[str, ...]] = {}
        self._folded: dict[str, tuple[str, ...]] = {}
        for sentence in context.brief.sentences:
            self._add(sentence.id, sentence.text)
        for answer in context.answers:
            # an answer of a word or two means nothing without its question
            is_short = spaced_words(answer.text) < MIN_WORDS and not spaceless_letters(answer.text)
            self._add(answer.id, *((answer.text, answer.question) if is_short else (answer.text,)))
            if answer.assumption_id:
                self._add(answer.assumption_id, answer.text)
        for items in (*(walked.upstream(t) for t in context.upstream if t != context.document_type), walked.items):
            for item in items:
                self._add(item.id, item.value)

    def __contains__(self, ref: object) -> bool:
        return ref in self._said

    def texts(self, ref: str) -> tuple[str, ...]:
        """The texts of an id; empty if it is unknown."""
        if ref not in self._texts:
            said = self._said.get(ref, ())
            self._texts[ref] = tuple(t for one in said for t in ((one,) if isinstance(one, str) else item_text(one)))
        return self._texts[ref]

    def holds(self, ref: str, quote: str) -> bool:
        """Whether the quote occurs in one of the texts of that id."""
        wanted = fold_quote(quote)
        return any(holds_folded(text, wanted) for text in self._folded_texts(ref))

    def is_long_enough(self, ref: str, quote: str) -> bool:
        """Whether the quote has three words, or is a whole text of that id."""
        texts = self.texts(ref)
        return bool(texts) and (says_enough(quote) or any(long_enough(quote, text) for text in texts))

    def _folded_texts(self, ref: str) -> tuple[str, ...]:
        if ref not in self._folded:
            self._folded[ref] = tuple(fold(text) for text in self.texts(ref))
        return self._folded[ref]

    def _add(self, ref: str, *said: str | Mapping[str, Any]) -> None:
        self._said.setdefault(ref, []).extend(said)

"""What can be cited: brief sentences, answers, assumptions and items, with their texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from combine.workflows.checks.context import CheckContext
from combine.workflows.items import item_text, iter_items
from combine.workflows.quotes import MIN_WORDS, contains_folded, fold, long_enough
from combine.workflows.words import spaced_words, spaceless_letters


class Known:
    """Ids and the texts that stand behind them; immutable after construction except for its cache of folded texts."""

    def __init__(self, context: CheckContext, document: Mapping[str, Any]) -> None:
        self.sentences = tuple(s.id for s in context.brief.sentences)
        self.answers = tuple(a.id for a in context.answers)
        self.own = frozenset(i.id for i in iter_items(document))
        self._texts: dict[str, tuple[str, ...]] = {}
        self._folded: dict[str, tuple[str, ...]] = {}
        for sentence in context.brief.sentences:
            self._add(sentence.id, (sentence.text,))
        for answer in context.answers:
            # an answer of a word or two says nothing without its question
            is_short = spaced_words(answer.text) < MIN_WORDS and not spaceless_letters(answer.text)
            self._add(answer.id, (answer.text, answer.question) if is_short else (answer.text,))
            if answer.assumption_id:
                self._add(answer.assumption_id, (answer.text,))
        for content in (*(c for t, c in context.upstream.items() if t != context.document_type), document):
            for item in iter_items(content):
                self._add(item.id, item_text(item.value))

    def __contains__(self, ref: object) -> bool:
        return ref in self._texts

    def texts(self, ref: str) -> tuple[str, ...]:
        """The texts behind an id; empty if it is unknown."""
        return self._texts.get(ref, ())

    def holds(self, ref: str, quote: str) -> bool:
        """Whether the quote stands in one of the texts of that id."""
        return any(contains_folded(text, quote) for text in self._folded_texts(ref))

    def is_long_enough(self, ref: str, quote: str) -> bool:
        """Whether the quote has three words, or is a whole text of that id."""
        return any(long_enough(quote, text) for text in self.texts(ref))

    def _folded_texts(self, ref: str) -> tuple[str, ...]:
        if ref not in self._folded:
            self._folded[ref] = tuple(fold(text) for text in self.texts(ref))
        return self._folded[ref]

    def _add(self, ref: str, texts: Iterable[str]) -> None:
        self._texts[ref] = (*self._texts.get(ref, ()), *texts)

"""What can be cited: brief sentences, answers, assumptions and items, with their texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from combine.checks.context import CheckContext
from combine.checks.walk import Walked
from combine.documents.items import item_text
from combine.documents.quotes import MIN_WORDS, fold, fold_quote, holds_folded, long_enough, says_enough
from combine.documents.schema_walk import in_store_order
from combine.documents.words import spaced_words, spaceless_letters


class _Members(NamedTuple):
    """The members of an item."""

    value: Mapping[str, Any]
    stored: bool
    """Whether its texts are in the order in which JSONB returns them, as those of upstream documents."""

    def texts(self) -> tuple[str, ...]:
        return item_text(in_store_order(self.value) if self.stored else self.value)


class Known:
    """Ids and their texts; immutable after construction except for its caches."""

    def __init__(self, context: CheckContext, walked: Walked) -> None:
        self.sentences = tuple(s.id for s in context.brief.sentences)
        self.answers = tuple(a.id for a in context.answers)
        self.own = frozenset(i.id for i in walked.items)
        self._said: dict[str, list[str | _Members]] = {}
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
        for document_type in context.upstream:
            if document_type != context.document_type:
                for item in walked.upstream(document_type):
                    self._add(item.id, _Members(item.value, stored=True))
        for item in walked.items:
            self._add(item.id, _Members(item.value, stored=False))

    def __contains__(self, ref: object) -> bool:
        return ref in self._said

    def texts(self, ref: str) -> tuple[str, ...]:
        """The texts of an id; empty if it is unknown."""
        if ref not in self._texts:
            said = self._said.get(ref, ())
            self._texts[ref] = tuple(t for one in said for t in ((one,) if isinstance(one, str) else one.texts()))
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

    def _add(self, ref: str, *said: str | _Members) -> None:
        self._said.setdefault(ref, []).extend(said)

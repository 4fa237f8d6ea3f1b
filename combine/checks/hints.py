"""What code can only suspect: candidates handed to the QA role, never faults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations, islice

from combine.checks.context import ASSUMPTION, CheckContext
from combine.checks.coverage import ARCHITECTURE, DISCOVERY, REQUIREMENTS
from combine.checks.known import Known
from combine.checks.numbers import all_numbers, written_numbers
from combine.checks.vague import vague_words
from combine.checks.walk import Walked
from combine.documents.findings import Hint, shown
from combine.documents.items import Item, id_prefix, item_sources, item_text
from combine.documents.quotes import LONG_QUOTE_WORDS
from combine.documents.words import distinct_words, overlap, word_count

MAX_HINTS = 60
NEAR_DUPLICATE = 0.8
RESTATED = 0.9
MAX_MUST_SHARE = 0.7
MIN_FOR_MUST_SHARE = 5
MANY_SOURCES = 4
MIN_CRITERIA = 2
MAX_COMPARED = 60
"""Maximum number of items of a list that are compared with each other."""
_EXAMPLES = ("acceptance_criteria", "success_criteria")
"""Fields whose numbers are example values."""
_BRACKETED_ID = re.compile(r"[(\[](?:[^()\[\]]{0,80}?)\b([A-Z]{2,8}-[0-9]{3})\b")


def find_hints(walked: Walked, context: CheckContext, known: Known) -> tuple[Hint, ...]:
    """All hints about the document, at most 60."""
    return tuple(
        Hint(code=code, document=context.document_type, message=message, item=shown(item, 40) if item else None)
        for code, message, item in islice(_all(walked, context, known), MAX_HINTS)
    )


Suspicion = tuple[str, str, str | None]
"""Code, message, id of the item."""
Sources = tuple[tuple[str, str], ...]
"""The (ref, quote) pairs of an item."""


def _all(walked: Walked, context: CheckContext, known: Known) -> Iterator[Suspicion]:
    prefixes = frozenset(item.prefix for item in walked.items)
    for item in walked.items:
        sources, texts = item_sources(item.value), item_text(item.value)
        yield from _numbers(item, sources, known)
        yield from _sources(item, sources)
        yield from _restated(item, sources)
        yield from _vague(item, texts, context.brief.language)
        yield from _thin(item)
        yield from _unknown_in_text(item, texts, known, prefixes)
    yield from _duplicates(walked.items)
    yield from _must_share(walked.items, context)
    yield from _unused_constraints(walked, context)


def _numbers(item: Item, sources: Sources, known: Known) -> Iterator[Suspicion]:
    """Numbers that no cited text has, unless an assumption is cited."""
    if not sources or any(id_prefix(ref) == ASSUMPTION for ref, _ in sources):
        return
    said = {k: v for k, v in item.value.items() if k not in _EXAMPLES}
    own = frozenset[str]().union(*map(written_numbers, item_text(said)))
    if not own:
        return
    cited = frozenset[str]().union(*(all_numbers(t) for ref in {ref for ref, _ in sources} for t in known.texts(ref)))
    if missing := sorted(own - cited):
        yield "number_without_source", f"Not in the cited texts: {', '.join(missing[:5])}.", item.id


def _sources(item: Item, sources: Sources) -> Iterator[Suspicion]:
    if len(sources) > MANY_SOURCES:
        yield "many_sources", f"It cites {len(sources)} sources; perhaps it is more than one thing.", item.id
    if any(word_count(quote) > LONG_QUOTE_WORDS for _, quote in sources):
        yield "long_quote", f"A quote is longer than {LONG_QUOTE_WORDS} words.", item.id
    is_must = item.value.get("priority") == "must"
    if is_must and sources and all(id_prefix(ref) == ASSUMPTION for ref, _ in sources):
        yield "must_on_assumptions", "A must rests on assumptions only.", item.id


def _restated(item: Item, sources: Sources) -> Iterator[Suspicion]:
    """A description that says nothing beyond its quotes; constraints are meant to be literal."""
    said = item.value.get("description")
    if item.prefix == "CON" or not isinstance(said, str):
        return
    own = distinct_words(said)
    for ref, quote in sources:
        if own and overlap(own, distinct_words(quote)) > RESTATED:
            yield "restates_source", f"The description only repeats the quote from {shown(ref, 40)}.", item.id
            return


def _vague(item: Item, texts: Sequence[str], language: str) -> Iterator[Suspicion]:
    if found := vague_words("\n".join(texts), language):  # no vague word contains a line break
        yield "vague_words", f"Perhaps not measurable: {', '.join(found[:5])}.", item.id


def _thin(item: Item) -> Iterator[Suspicion]:
    priority = item.value.get("priority")
    criteria = item.value.get("acceptance_criteria")
    if priority == "must" and isinstance(criteria, list) and len(criteria) < MIN_CRITERIA:
        yield "few_criteria", "A must with a single criterion: is the failure case missing?", item.id
    if item.prefix == "OBJ" and priority == "high" and not item.value.get("success_criteria"):
        yield "no_success_criteria", "A high objective without a success criterion.", item.id


def _unknown_in_text(item: Item, texts: Sequence[str], known: Known, prefixes: frozenset[str]) -> Iterator[Suspicion]:
    for text in texts:
        for ref in _BRACKETED_ID.findall(text):
            if id_prefix(ref) in prefixes and ref not in known:
                yield "unknown_id_in_text", f"The text names {ref}, which does not exist.", item.id


def _duplicates(items: Sequence[Item]) -> Iterator[Suspicion]:
    lists: dict[str, list[Item]] = {}
    for item in items:
        lists.setdefault(item.list_name, []).append(item)
    for members in lists.values():
        words = [(item.id, distinct_words(" ".join(_claim(item)))) for item in members[:MAX_COMPARED]]
        for (one, first), (other, second) in combinations(words, 2):
            if first and overlap(first, second) >= NEAR_DUPLICATE:
                yield "near_duplicate", f"It says nearly the same as {shown(one, 40)}.", other


def _claim(item: Item) -> Iterator[str]:
    for name, value in item.value.items():
        if isinstance(value, str) and name != "id":
            yield value


def _must_share(items: Sequence[Item], context: CheckContext) -> Iterator[Suspicion]:
    if context.document_type != REQUIREMENTS:
        return
    ranked = [item for item in items if item.prefix == "FR"]
    musts = sum(item.value.get("priority") == "must" for item in ranked)
    if len(ranked) >= MIN_FOR_MUST_SHARE and musts > MAX_MUST_SHARE * len(ranked):
        yield "many_musts", f"{musts} of {len(ranked)} functional requirements are must.", None


def _unused_constraints(walked: Walked, context: CheckContext) -> Iterator[Suspicion]:
    """Constraints that neither requirements nor architecture cite."""
    if context.document_type != ARCHITECTURE:
        return
    later = [*walked.items, *walked.upstream(REQUIREMENTS)]
    cited = {ref for item in later for ref, _ in item_sources(item.value)}
    for constraint in walked.upstream(DISCOVERY):
        if constraint.prefix == "CON" and constraint.id not in cited:
            yield "constraint_unused", f"Neither requirements nor architecture cite {constraint.id}.", constraint.id

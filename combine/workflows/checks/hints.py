"""What code can only suspect: candidates handed to the QA role, never faults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from combine.workflows.checks.context import ASSUMPTION, CheckContext
from combine.workflows.checks.coverage import ARCHITECTURE, DISCOVERY, REQUIREMENTS, items_of
from combine.workflows.checks.known import Known
from combine.workflows.checks.numbers import all_numbers, written_numbers
from combine.workflows.checks.vague import vague_words
from combine.workflows.findings import Hint
from combine.workflows.items import SOURCES, Item, id_prefix, item_sources, item_text, iter_items
from combine.workflows.mechanical import shown
from combine.workflows.quotes import LONG_QUOTE_WORDS
from combine.workflows.words import overlap, tokens, word_count

MAX_HINTS = 60
NEAR_DUPLICATE = 0.8
RESTATED = 0.9
MAX_MUST_SHARE = 0.7
MIN_FOR_MUST_SHARE = 5
MANY_SOURCES = 4
MIN_CRITERIA = 2
MAX_COMPARED = 60
"""Items of one list that are compared with each other."""
_EXAMPLES = ("acceptance_criteria", "success_criteria")
"""Fields whose numbers are example values."""
_BRACKETED_ID = re.compile(r"[(\[](?:[^()\[\]]{0,80}?)\b([A-Z]{2,8}-[0-9]{3})\b")


def find_hints(document: Mapping[str, Any], context: CheckContext, known: Known) -> list[Hint]:
    """All hints about the document, at most 60."""
    items = list(iter_items(document))
    hints = [
        Hint(code=code, document=context.document_type, message=message, item=shown(item, 40) if item else None)
        for code, message, item in _all(items, context, known)
    ]
    return hints[:MAX_HINTS]


Suspicion = tuple[str, str, str | None]
"""Code, message, id of the item."""


def _all(items: list[Item], context: CheckContext, known: Known) -> Iterator[Suspicion]:
    for item in items:
        yield from _numbers(item, known)
        yield from _sources(item)
        yield from _restated(item)
        yield from _vague(item, context.brief.language)
        yield from _thin(item)
        yield from _unknown_in_text(item, known)
    yield from _duplicates(items)
    yield from _must_share(items, context)
    yield from _unused_constraints(items, context)


def _numbers(item: Item, known: Known) -> Iterator[Suspicion]:
    """Numbers that no cited text has, unless an assumption is cited."""
    sources = item_sources(item.value)
    if not sources or any(id_prefix(ref) == ASSUMPTION for ref, _ in sources):
        return
    said = {k: v for k, v in item.value.items() if k not in _EXAMPLES}
    own = frozenset[str]().union(*map(written_numbers, item_text(said)))
    cited = frozenset[str]().union(*(all_numbers(t) for ref in {ref for ref, _ in sources} for t in known.texts(ref)))
    if missing := sorted(own - cited):
        yield "number_without_source", f"Not in the cited texts: {', '.join(missing[:5])}.", item.id


def _sources(item: Item) -> Iterator[Suspicion]:
    sources = item_sources(item.value)
    if len(sources) > MANY_SOURCES:
        yield "many_sources", f"It cites {len(sources)} sources; perhaps it is more than one thing.", item.id
    if any(word_count(quote) > LONG_QUOTE_WORDS for _, quote in sources):
        yield "long_quote", f"A quote is longer than {LONG_QUOTE_WORDS} words.", item.id
    is_must = item.value.get("priority") == "must"
    if is_must and sources and all(id_prefix(ref) == ASSUMPTION for ref, _ in sources):
        yield "must_on_assumptions", "A must rests on assumptions only.", item.id


def _restated(item: Item) -> Iterator[Suspicion]:
    """A description that says nothing beyond its quotes; constraints are meant to be literal."""
    said = item.value.get("description")
    if item.prefix == "CON" or not isinstance(said, str):
        return
    own = tokens(said)
    for ref, quote in item_sources(item.value):
        if own and overlap(own, tokens(quote)) > RESTATED:
            yield "restates_source", f"The description only repeats the quote from {shown(ref, 40)}.", item.id
            return


def _vague(item: Item, language: str) -> Iterator[Suspicion]:
    found = dict.fromkeys(word for text in item_text(item.value) for word in vague_words(text, language))
    if found:
        yield "vague_words", f"Perhaps not measurable: {', '.join(list(found)[:5])}.", item.id


def _thin(item: Item) -> Iterator[Suspicion]:
    priority = item.value.get("priority")
    criteria = item.value.get("acceptance_criteria")
    if priority == "must" and isinstance(criteria, list) and len(criteria) < MIN_CRITERIA:
        yield "few_criteria", "A must with a single criterion: is the failure case missing?", item.id
    if item.prefix == "OBJ" and priority == "high" and not item.value.get("success_criteria"):
        yield "no_success_criteria", "A high objective without a success criterion.", item.id


def _unknown_in_text(item: Item, known: Known) -> Iterator[Suspicion]:
    prefixes = {id_prefix(ref) for ref in known.own}
    for text in item_text({k: v for k, v in item.value.items() if k != SOURCES}):
        for ref in _BRACKETED_ID.findall(text):
            if id_prefix(ref) in prefixes and ref not in known:
                yield "unknown_id_in_text", f"The text names {ref}, which does not exist.", item.id


def _duplicates(items: list[Item]) -> Iterator[Suspicion]:
    lists: dict[str, list[Item]] = {}
    for item in items:
        lists.setdefault(item.list_name, []).append(item)
    for members in lists.values():
        words = [(item.id, tokens(" ".join(_claim(item)))) for item in members[:MAX_COMPARED]]
        for (one, first), (other, second) in combinations(words, 2):
            if first and overlap(first, second) >= NEAR_DUPLICATE:
                yield "near_duplicate", f"It says nearly the same as {shown(one, 40)}.", other


def _claim(item: Item) -> Iterator[str]:
    for name, value in item.value.items():
        if isinstance(value, str) and name != "id":
            yield value


def _must_share(items: list[Item], context: CheckContext) -> Iterator[Suspicion]:
    if context.document_type != REQUIREMENTS:
        return
    ranked = [item for item in items if item.prefix == "FR"]
    musts = sum(item.value.get("priority") == "must" for item in ranked)
    if len(ranked) >= MIN_FOR_MUST_SHARE and musts > MAX_MUST_SHARE * len(ranked):
        yield "many_musts", f"{musts} of {len(ranked)} functional requirements are must.", None


def _unused_constraints(items: list[Item], context: CheckContext) -> Iterator[Suspicion]:
    """Constraints that neither requirements nor architecture take up."""
    if context.document_type != ARCHITECTURE:
        return
    later = [*items, *iter_items(context.upstream.get(REQUIREMENTS) or {})]
    cited = {ref for item in later for ref, _ in item_sources(item.value)}
    for constraint in items_of(context.upstream.get(DISCOVERY), "CON"):
        if constraint.id not in cited:
            yield "constraint_unused", f"Neither requirements nor architecture cite {constraint.id}.", constraint.id

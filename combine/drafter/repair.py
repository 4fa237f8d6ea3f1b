"""A draft that came back: items and ids stay, sources are mended, what a person or a review said is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from combine.documents.items import item_text, iter_items
from combine.documents.quotes import contains_quote, long_enough
from combine.drafter.draft import JsonDict
from combine.drafter.ids import Ids
from combine.drafter.reading import Reading
from combine.drafter.text import bare, quote, shorten

MAX_NOTES = 4
NOTE_WORDS = 50


def mended(draft: Mapping[str, Any], reading: Reading, ids: Ids) -> JsonDict:
    """The draft with every source that can be mended, and a note for each reason it came back."""
    document = deepcopy(dict(draft))
    texts = dict(_texts(document, reading))
    for item in iter_items(document):
        sources = item.value.get("sources")
        if isinstance(sources, list):
            _mend(sources, texts)
    _note(document, reading, ids)
    return document


def _texts(document: Mapping[str, Any], reading: Reading) -> Iterator[tuple[str, tuple[str, ...]]]:
    for statement in (*reading.brief, *reading.answers):
        yield statement.ref, (statement.raw,)
    for content in (*reading.sections.documents.values(), document):
        for item in iter_items(content):
            yield item.id, item_text(item.value)


def _mend(sources: list[Any], texts: Mapping[str, tuple[str, ...]]) -> None:
    known = [s for s in sources if isinstance(s, dict) and s.get("ref") in texts]
    if known:
        sources[:] = known
    for source in known:
        words = str(source.get("quote", ""))
        own = texts[source["ref"]]
        if own and not any(contains_quote(t, words) and long_enough(words, t) for t in own):
            source["quote"] = quote(max(own, key=len))


def _note(document: JsonDict, reading: Reading, ids: Ids) -> None:
    """What was said about the draft becomes an open assumption: rules cannot rewrite by it, a person or model can."""
    frames, assumptions = reading.frames, document.get("assumptions")
    if not isinstance(assumptions, list):
        return
    known = {str(a.get("text")) for a in assumptions if isinstance(a, dict)}
    for text in _said(reading):
        if text not in known and len(known) < 12:  # noqa: PLR2004
            (number,) = ids.give("ASM", [text])
            assumptions.append({"id": number, "text": text, "reason": frames.note_reason})
            known.add(text)


def _said(reading: Reading) -> Iterator[str]:
    frames, sections = reading.frames, reading.sections
    if sections.guidance:
        yield frames.sent_back.format(text=shorten(bare(" ".join(sections.guidance.split())), NOTE_WORDS))
    for finding in sections.findings[:MAX_NOTES]:
        message = str(finding.get("message", ""))
        if message and finding.get("code") not in ("quote_not_found", "source_unknown", "quote_too_short"):
            where = str(finding.get("id") or finding.get("path") or "")
            yield frames.open_finding.format(where=where, text=shorten(bare(message), NOTE_WORDS))

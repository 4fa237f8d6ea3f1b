"""The review by rules: what can be computed about the set, and an honest word that nothing else was judged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from combine.documents.items import iter_items
from combine.drafter.conflicts import rulings
from combine.drafter.draft import JsonDict, numbered
from combine.drafter.ids import Ids
from combine.drafter.reading import Reading, Section
from combine.drafter.text import bare, shorten

MAX_UNUSED, MAX_HINTS = 8, 5
TEXT_WORDS = 40
_ID = re.compile(r"\b[A-Z]{2,8}-[0-9]{3}\b")
_EXPECTED = ("restates_source", "no_success_criteria")
"""Hints about what the rules do on purpose, and say in an assumption of the discovery."""


def draft_review(reading: Reading, ids: Ids) -> JsonDict:
    """The whole document; its verdict is ``approved_with_conditions``, since nobody has judged the meaning."""
    frames = reading.frames
    findings = numbered(ids, "FND", "description", list(_findings(reading)))
    documents = list(reading.sections.documents)
    major = [f for f in findings if f["severity"] == "major"]
    steps = [
        frames.step_major.format(item=f.get("item") or f["document"], document=f["document"], id=f["id"]) for f in major
    ]
    return {
        "findings": findings,
        "document_reviews": [_of_document(name, findings) for name in documents or ["brief"]],
        "overall_assessment": {
            "summary": frames.verdict.format(findings=len(findings), major=len(major)),
            "status": "approved_with_conditions",
        },
        "recommendation": {
            "rationale": frames.verdict_reason,
            "action": "proceed",
            "next_steps": [*steps[:10], frames.step_read],
            "blockers": [],
        },
    }


def _findings(reading: Reading) -> Iterator[JsonDict]:
    yield from _conflicts(reading)
    yield from _addressed(reading)
    yield from _unused(reading)
    yield from _assumptions(reading)
    yield from _hints(reading)


def _conflicts(reading: Reading) -> Iterator[JsonDict]:
    frames = reading.frames
    documents = reading.sections.documents
    for ruling in rulings(reading):
        if ruling.answer is not None and not ruling.answer.assumption:
            continue
        first, second = ruling.conflict.choices()
        refs = {ruling.conflict.first.ref, ruling.conflict.second.ref}
        item = _citing(documents, refs, "RSK")
        yield _finding(
            "minor" if ruling.answer else "major",
            "consistency",
            ("project-discovery", item) if item else ("brief", ruling.conflict.first.ref),
            frames.found_conflict.format(first=first, second=second),
            frames.mend_conflict,
        )


def _citing(documents: Mapping[str, Mapping[str, Any]], refs: set[str], prefix: str) -> str:
    for item in iter_items(documents.get("project-discovery", {})):
        cited = {s.get("ref") for s in item.value.get("sources", []) if isinstance(s, Mapping)}
        if item.prefix == prefix and refs <= cited:
            return item.id
    return ""


def _addressed(reading: Reading) -> Iterator[JsonDict]:
    for statement in reading.brief:
        if statement.is_a("addressed"):
            text = reading.frames.found_addressed.format(text=shorten(bare(statement.text), TEXT_WORDS))
            yield _finding("minor", "clarity", ("brief", statement.ref), text, reading.frames.mend_addressed)


def _unused(reading: Reading) -> Iterator[JsonDict]:
    frames = reading.frames
    named = [s for ref in reading.sections.unused_sentences if (s := reading.statement(ref)) is not None]
    told = [s for s in named if s.usable]
    wanting = [s for s in told if s.section is not Section.TODAY and s.is_a("need", "goal", "law", "limit", "money")]
    for statement in wanting[:MAX_UNUSED]:
        text = frames.found_unused.format(text=shorten(bare(statement.text), TEXT_WORDS))
        yield _finding("minor", "completeness", ("brief", statement.ref), text, frames.mend_unused)
    rest = [s for s in told if s not in wanting[:MAX_UNUSED]]
    if rest:
        refs = _listed([s.ref for s in rest])
        yield _finding(
            "observation",
            "completeness",
            ("brief", rest[0].ref),
            frames.found_background.format(refs=refs),
            frames.mend_background,
        )


def _assumptions(reading: Reading) -> Iterator[JsonDict]:
    """One line for all assumptions nobody has confirmed."""
    frames = reading.frames
    labels = (frames.label, frames.requirements_label, frames.architecture_label)
    found = [
        (name, item.id)
        for name, document in reading.sections.documents.items()
        for item in iter_items(document)
        if item.prefix == "ASM" and item.value.get("text") not in labels
    ]
    if found:
        ids = sorted(dict.fromkeys(number for _, number in found))
        text = frames.found_assumption.format(ids=", ".join(ids[:20]))
        yield _finding("observation", "alignment", found[0], text, frames.mend_assumption)


def _hints(reading: Reading) -> Iterator[JsonDict]:
    documents = reading.sections.documents
    for hint in [h for h in reading.sections.hints if h.get("code") not in _EXPECTED][:MAX_HINTS]:
        name, item = str(hint.get("document", "")), str(hint.get("id") or "")
        if name not in documents and name != "brief":
            continue
        known = {i.id for i in iter_items(documents.get(name, {}))} | {ref for ref, _ in reading.sections.sentences}
        text = reading.frames.found_hint.format(text=shorten(_hint_text(hint, reading), TEXT_WORDS))
        yield _finding("observation", "clarity", (name, item if item in known else ""), text, reading.frames.mend_hint)


def _hint_text(hint: Mapping[str, Any], reading: Reading) -> str:
    """What the check says; in other words than its own with the ids, words or figures that it names."""
    message = bare(str(hint.get("message", "")))
    told = reading.frames.hints.get(str(hint.get("code", "")))
    if told is None:
        return message
    named = ", ".join(_ID.findall(message)) or message.partition(": ")[2]
    return f"{told} ({named})" if named and "?" not in told else told


def _finding(severity: str, category: str, place: tuple[str, str], text: str, mend: str) -> JsonDict:
    """``place`` is the document and the item in it, which may be empty."""
    document, item = place
    return {
        "document": document,
        **({"item": item} if item else {}),
        "description": text,
        "category": category,
        "severity": severity,
        "recommendation": mend,
    }


def _of_document(name: str, findings: Sequence[JsonDict]) -> JsonDict:
    own = [f for f in findings if f["document"] == name and f["severity"] in ("major", "minor")]
    return {
        "document_type": name,
        "status": "approved_with_conditions" if own else "approved",
        "notes": ", ".join(f["id"] for f in own),
    }


def _listed(refs: Sequence[str]) -> str:
    """Ids in one line, runs drawn together: ``B-3, B-5 to B-9``."""
    shown, numbers = [], [int(r.partition("-")[2]) for r in refs]
    start = 0
    for end in range(1, len(numbers) + 1):
        if end == len(numbers) or numbers[end] != numbers[end - 1] + 1:
            one, last = refs[start], refs[end - 1]
            shown.append(one if one == last else f"{one}\u2013{last.partition('-')[2]}")
            start = end
    return ", ".join(shown[:20]) + (" \u2026" if len(shown) > 20 else "")  # noqa: PLR2004

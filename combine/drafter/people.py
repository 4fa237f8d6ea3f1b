"""The people a brief names, and what each of them is to do there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from operator import itemgetter

from combine.drafter.draft import JsonDict, merged
from combine.drafter.grammar import Party, Wish
from combine.drafter.reading import Reading, Section, Statement
from combine.drafter.text import bare, capital, quote, shorten

MAX_STAKEHOLDERS = 9
MAX_INTERESTS = 2
MIN_STEM = 4
"""Letters up to which endings are taken off."""

_ATTENDEE = re.compile(r"([^\W\d_][\w.-]+(?: [^\W\d_][\w.-]+)?) \(([^)]{2,40})\)")
_PLURAL = re.compile(r"(?:innen|ies|en|es|er|e|s|n)$")


def stakeholders(reading: Reading, standing: Sequence[Statement], wishes: Sequence[Wish]) -> list[JsonDict]:
    """The client, the persons named as present, and the groups the statements name; never empty."""
    client = next((s for s in standing if s.is_a("we")), standing[0])
    frames = reading.frames
    name = frames.client if client.is_a("we") else frames.author
    found = [_entry([client.source()], name, frames.client_role, [], influence="high")]
    found += _attendees(reading)
    known = {_stem(e["name"]) for e in found}
    groups: list[tuple[int, JsonDict]] = []
    for label, group, statement, around in _named(reading, standing):
        if _stem(label) in known or any(_stem(label) in k.split() for k in known):
            continue
        known.add(_stem(label))
        own = [w for w in wishes if w.party is Party.PEOPLE and _stem(label) in map(_stem, w.subject.split())]
        rank = 0 if own else 1 if group in ("served", "staff", "lead", "profession") else 2
        groups.append((rank, _group(label, frames.roles[group], statement.source(around), own[:MAX_INTERESTS])))
    groups.sort(key=itemgetter(0))
    return [*found, *(entry for _, entry in groups)][:MAX_STAKEHOLDERS]


def _group(label: str, role: str, source: dict[str, str], wishes: Sequence[Wish]) -> JsonDict:
    interests = [capital(shorten(bare(w.core), 20)) for w in wishes if not w.negated]
    return _entry(merged([source], [w.statement.source() for w in wishes]), capital(label), role, interests)


def _entry(sources: list[dict[str, str]], name: str, role: str, interests: list[str], influence: str = "") -> JsonDict:
    entry: JsonDict = {"sources": sources, "name": name, "role": role, "interests": interests}
    return entry | ({"influence": influence} if influence else {})


def _attendees(reading: Reading) -> Iterator[JsonDict]:
    for statement in reading.brief:
        if reading.cues.has("section_people", statement.text):
            for found in _ATTENDEE.finditer(statement.text):
                name, role = found.groups()
                around = quote(statement.raw, found.group())
                yield _entry([{"ref": statement.ref, "quote": around}], name, role, [])


def _named(reading: Reading, standing: Sequence[Statement]) -> Iterator[tuple[str, str, Statement, str]]:
    """(name shown, class, statement, words there) of each group of people, in the order of the brief."""
    words = reading.cues.words
    patterns = {
        group: re.compile(rf"(?<![\w-])((?:(?:{words.modifiers}) )?(?:{nouns}))(?![\w-])", re.IGNORECASE)
        for group, nouns in words.people.items()
    }
    for statement in standing:
        if statement.topic or statement.section is Section.OUT:
            continue
        hits = [(m.start(), m.group(1), g) for g, p in patterns.items() for m in p.finditer(statement.text)]
        for _, label, group in sorted(hits):
            if label.casefold() not in reading.frames.too_general:
                yield label, group, statement, label


def _stem(name: str) -> str:
    word = name.casefold().split(" ")[-1]
    while len(word) > MIN_STEM and (shorter := _PLURAL.sub("", word)) != word:
        word = shorter
    return word

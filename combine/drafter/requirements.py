"""The requirements document by rules: what the brief asks for, framed so that it can be tested."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from combine.documents.quotes import fold
from combine.documents.words import distinct_words, word_count
from combine.drafter.conflicts import Ruling, dropped_refs, rulings
from combine.drafter.discovery import plain_statements, wishes_of
from combine.drafter.draft import Assumptions, JsonDict, Source, cite, distinct, merged, numbered
from combine.drafter.grammar import Wish, title, wish_of, without_condition
from combine.drafter.ids import Ids
from combine.drafter.lexicon import Cues
from combine.drafter.limits import constraint_type, quality_of
from combine.drafter.phrasing import criteria, requirement_text, whole_text
from combine.drafter.questions import is_default, limit_answer, topic_of
from combine.drafter.reading import Reading, Section, Statement
from combine.drafter.text import bare, capital, headline, lower_first, sentence, shorten

MAX_FUNCTIONAL, MAX_QUALITIES, MAX_ENTITIES, MAX_SYSTEMS = 26, 10, 8, 8
TEXT_WORDS, TITLE_WORDS = 60, 12
SAME_STATEMENT = 0.85
"""Share of an objective's words that stand in the statement it comes from."""
MIN_WORDS = 4
MAX_BACKWARDS = 8
"""Words up to which a line that ends in a pronoun says nothing by itself."""

_BACKWARDS = re.compile(r"\b(?:that|this|it|them|so|das|dies|so)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Sources:
    """What the drafters of the parts share."""

    reading: Reading
    standing: tuple[Statement, ...]
    discovery: Mapping[str, Any]
    ruled: tuple[Ruling, ...]
    assumptions: Assumptions

    def items(self, field: str) -> list[Mapping[str, Any]]:
        value = self.discovery.get(field, [])
        return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def draft_requirements(reading: Reading, ids: Ids) -> JsonDict:
    """The whole document."""
    ruled = rulings(reading)
    gone = dropped_refs(ruled)
    standing = tuple(s for s in reading.usable if s.ref not in gone) or reading.usable[:1]
    given = _Sources(reading, standing, reading.document("project-discovery"), ruled, Assumptions(ids))
    frames = reading.frames
    given.assumptions.declare(frames.requirements_label, frames.requirements_label_reason)
    qualities = list(_qualities(given))[:MAX_QUALITIES]
    functional = _functional(given)
    return {
        "functional_requirements": numbered(ids, "FR", "description", functional),
        "non_functional_requirements": numbered(ids, "NFR", "description", distinct(qualities, "description")),
        "user_stories": [],
        "data_requirements": numbered(ids, "DR", "entity", _data(given)),
        "integration_requirements": numbered(ids, "IR", "system", _systems(given)),
        "assumptions": given.assumptions.items,
    }


def _functional(given: _Sources) -> list[JsonDict]:
    reading, goals = given.reading, given.items("objectives")
    found: list[JsonDict] = []
    for wish in wishes_of(given.reading, given.standing, given.ruled):
        own = [g for g in goals if _is_from(str(g.get("description", "")), wish.statement, reading)]
        found.append(_of_wish(wish, own, given))
    for statement in _unread(given):
        own = [g for g in goals if _is_from(str(g.get("description", "")), statement, reading)]
        found.append(_of_statement(statement, own, reading))
    found = distinct([*found, *_limits(given)], "description")[: MAX_FUNCTIONAL - min(len(goals), 10)]
    held = {s["ref"] for f in found for s in f["sources"]}
    return [*found, *(_of_goal(g, given) for g in goals if g["id"] not in held)]


def _unread(given: _Sources) -> Iterator[Statement]:
    """Lines under a heading of wishes that the rules cannot take apart but that ask for something."""
    wishes = list(wishes_of(given.reading, given.standing, given.ruled))
    yield from plain_statements(given.reading, given.standing, wishes)
    cues, read = given.reading.cues, {w.statement.ref for w in wishes}
    for s in given.standing:
        plain = s.section is Section.WANT and not s.is_a("out", "no_money", "success") and s.ref not in read
        if not plain or constraint_type(s, cues, wish_of(s, cues)) is not None:
            continue
        words = word_count(s.text)
        if words >= MIN_WORDS and (words > MAX_BACKWARDS or not _BACKWARDS.search(bare(s.text))):
            yield s


def _of_wish(wish: Wish, goals: Sequence[Mapping[str, Any]], given: _Sources) -> JsonDict:
    statement = wish.statement
    high = any(g.get("priority") == "high" for g in goals)
    rulings_of = [r.answer.source() for r in given.ruled if r.kept is statement and r.answer]
    description = requirement_text(wish, given.reading)
    return {
        "sources": merged([statement.source()], rulings_of, (cite(g, "description") for g in goals)),
        "title": headline(title(wish, statement), TITLE_WORDS),
        "description": shorten(description, TEXT_WORDS),
        "priority": "must" if high else _wish_priority(wish),
        "acceptance_criteria": criteria(wish, given.reading),
        "depends_on": [],
    }


def _of_statement(statement: Statement, goals: Sequence[Mapping[str, Any]], reading: Reading) -> JsonDict:
    told = shorten(bare(statement.text), 24)
    return {
        "sources": merged([statement.source()], (cite(g, "description") for g in goals)),
        "title": headline(without_condition(bare(statement.text)), TITLE_WORDS),
        "description": whole_text(statement, reading),
        "priority": "must" if any(g.get("priority") == "high" for g in goals) else _priority(statement),
        "acceptance_criteria": [c.format(text=told) for c in reading.frames.as_told],
        "depends_on": [],
    }


def _limits(given: _Sources) -> Iterator[JsonDict]:
    """Limits the brief sets on a capacity, as behaviour at the limit."""
    frames = given.reading.frames
    for statement in given.standing:
        cap = given.reading.cues.patterns["limit"].search(statement.text)
        wish = wish_of(statement, given.reading.cues)
        if cap is None or constraint_type(statement, given.reading.cues, wish) != "resource":
            continue
        what = cap.group("what")
        answer = limit_answer(what, given.reading)
        decided = shorten(bare(answer.text), 30) if answer else ""
        text = frames.limit_decided.format(text=what, answer=decided) if answer else frames.limit.format(text=what)
        number = given.assumptions.declare(frames.limit_held, frames.limit_held_reason)
        yield {
            "sources": merged(
                [statement.source(what)], [answer.source()] if answer else [], [given.assumptions.source(number)]
            ),
            "title": shorten(frames.limit_title.format(text=what), TITLE_WORDS),
            "description": sentence(text),
            "priority": "must",
            "acceptance_criteria": [c.format(text=what) for c in frames.limit_criteria],
            "depends_on": [],
        }


def _of_goal(goal: Mapping[str, Any], given: _Sources) -> JsonDict:
    frames, text = given.reading.frames, str(goal["description"])
    origin = next((s for s in given.standing if _is_from(text, s, given.reading)), None)
    problem = origin is not None and origin.is_a("problem") and not origin.is_a("success")
    told = shorten(bare(origin.text if origin and problem else text), TEXT_WORDS - 20)
    ref = origin.ref if origin else str(goal["id"])
    frame = frames.remedy if problem else frames.serve
    return {
        "sources": merged([cite(goal, "description")], [origin.source()] if origin else []),
        "title": shorten(
            (frames.remedy_title if problem else frames.serve_title).format(id=goal["id"], ref=ref), TITLE_WORDS
        ),
        "description": frame.format(text=told, id=goal["id"]),
        "priority": "must" if goal.get("priority") == "high" else "should",
        "acceptance_criteria": [
            c.format(text=shorten(told, 24), ref=ref)
            for c in (frames.remedy_criteria if problem else frames.serve_criteria)
        ],
        "depends_on": [],
    }


def _priority(statement: Statement) -> str:
    if statement.is_a("weak", "later"):
        return "could"
    return "must" if statement.is_a("strong") else "should"


def _wish_priority(wish: Wish) -> str:
    return "could" if wish.modal == "could" else _priority(wish.statement)


def _is_from(text: str, statement: Statement, reading: Reading) -> bool:
    """Whether an objective's text is made of the statement's words."""
    content = distinct_words(text) - distinct_words(reading.frames.end_problem) - reading.cues.words.common
    mine = distinct_words(statement.text)
    return bool(content) and len(content & mine) >= SAME_STATEMENT * len(content)


def _qualities(given: _Sources) -> Iterator[JsonDict]:
    reading = given.reading
    functional = {w.statement.ref for w in wishes_of(given.reading, given.standing, given.ruled)}
    for statement in given.standing:
        if statement.topic:
            yield from _answered(statement, given)
            continue
        wish = wish_of(statement, reading.cues)
        category = quality_of(statement, reading.cues, wish)
        if category is not None and statement.ref not in functional:
            yield _quality(statement, category, merged([statement.source()], _limits_of(statement, given)), given)


def _limits_of(statement: Statement, given: _Sources) -> list[Source]:
    """A source for the constraint that says what the statement says."""
    told = fold(shorten(bare(statement.text), 20)).removesuffix(" …")
    found = [c for c in given.items("constraints") if told in fold(str(c.get("description", "")))]
    return [cite(c, "description") for c in found[:1]]


def _quality(statement: Statement, category: str, sources: list[Source], given: _Sources) -> JsonDict:
    reading, frames = given.reading, given.reading.frames
    cues = reading.cues
    place = cues.find("place", statement.text)
    figures = [m.group() for m in cues.patterns["measure"].finditer(statement.text)]
    erase = cues.find("erase", statement.text)
    targets = [*(figures[:2]), *([place] if place else [])]
    if not targets:
        number = given.assumptions.declare(frames.no_target, frames.no_target_reason)
        sources, targets = (
            merged(sources, [given.assumptions.source(number)]),
            [frames.no_target_line.format(id=number)],
        )
    metric = frames.metrics["erase" if erase and figures else "place" if place else category]
    return {
        "sources": sources,
        "category": category,
        "description": sentence(shorten(statement.text, TEXT_WORDS)),
        "metric": metric,
        "target": shorten("; ".join(bare(t) for t in targets), 20),
    }


def _answered(answer: Statement, given: _Sources) -> Iterator[JsonDict]:
    topic, frames = topic_of(answer, given.reading), given.reading.frames
    if topic in ("volume", "data") and not (topic == "data" and is_default(answer, given.reading)):
        yield {
            "sources": merged([answer.source()], _limits_of(answer, given)),
            "category": "performance" if topic == "volume" else "security",
            "description": frames.answered_quality[topic].format(text=lower_first(bare(answer.text))),
            "metric": frames.metrics[topic],
            "target": bare(answer.text),
        }


def _data(given: _Sources) -> list[JsonDict]:
    cues, frames = given.reading.cues, given.reading.frames
    spoken = _spoken(given.standing)
    found = []
    for name, pattern in cues.entities.items():
        hits = [s for s in spoken if pattern.search(s.text)]
        person = name in cues.words.persons
        kept = _attributes(hits, pattern, cues, person=person)
        if person and not kept and hits:
            kept = _loose_attributes(spoken, cues)
        if not kept and len(hits) < 3:  # noqa: PLR2004
            continue
        where = merged([hits[0].source(pattern.search(hits[0].text).group())], (s.source() for s in kept.values()))  # type: ignore[union-attr]
        marked = [f"{a} ({frames.personal})" if cues.has("personal", a) else a for a in kept]
        found.append({"sources": where, "entity": name, "attributes": marked[:8], "relationships": []})
    return sorted(found, key=lambda d: -len(d["attributes"]))[:MAX_ENTITIES]


def _spoken(standing: Sequence[Statement]) -> list[Statement]:
    """What the brief says about data that is to be kept."""
    within = [s for s in standing if not s.topic and s.section is not Section.OUT and not s.is_a("opens")]
    return [s for s in within if not (s.is_a("personal") and s.is_a("negative"))]


def _attributes(
    hits: Sequence[Statement], entity: re.Pattern[str], cues: Cues, *, person: bool
) -> dict[str, Statement]:
    """The details that are named together with the entity, each with the first statement that names it."""
    kept: dict[str, Statement] = {}
    for statement in hits:
        for m in cues.patterns["attributes"].finditer(statement.text):
            if cues.has("personal", m.group()) == person and not entity.search(m.group()):
                kept.setdefault(m.group().casefold(), statement)
    return kept


def _loose_attributes(spoken: Sequence[Statement], cues: Cues) -> dict[str, Statement]:
    """Personal details from sentences that do not say whose they are, if only one kind of person is kept."""
    persons = [p for name, p in cues.entities.items() if name in cues.words.persons]
    if sum(any(p.search(s.text) for s in spoken) for p in persons) != 1:
        return {}
    found = [(m.group().casefold(), s) for s in spoken for m in cues.patterns["attributes"].finditer(s.text)]
    return {name: s for name, s in reversed(found) if cues.has("personal", name)}


def _systems(given: _Sources) -> list[JsonDict]:
    cues, found = given.reading.cues, []
    for statement in given.standing:
        if statement.section in (Section.TODAY, Section.OUT) or statement.topic:
            continue
        exchange = cues.patterns["exchange"].search(statement.text)
        name = (
            (exchange.group("name") or exchange.group("system")) if exchange else cues.find("products", statement.text)
        )
        if name and not (statement.is_a("out") and exchange is None):
            found.append(
                {
                    "sources": [statement.source(name)],
                    "system": capital(name.strip()),
                    "type": "",
                    "description": sentence(shorten(statement.text, TEXT_WORDS)),
                }
            )
    for entry in found:
        del entry["type"]
    return distinct(found, "system")[:MAX_SYSTEMS]

"""The discovery document by rules: objectives, people, limits, risks and the border of the project."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from combine.drafter.conflicts import Ruling, dropped_refs, rulings
from combine.drafter.draft import Assumptions, JsonDict, distinct, merged, numbered
from combine.drafter.frame_types import Frames
from combine.drafter.grammar import Party, Wish, subject_of, title, wish_of, wishes_in
from combine.drafter.ids import Ids
from combine.drafter.limits import constraint_type, quality_of
from combine.drafter.people import stakeholders
from combine.drafter.questions import is_default, limit_type, topic_of
from combine.drafter.reading import Reading, Section, Statement
from combine.drafter.text import bare, capital, headline, quote, sentence, shorten

TEXT_WORDS = 55
LINE_WORDS = 20
MIN_OBJECTIVES, MAX_OBJECTIVES, MAX_PROBLEMS = 3, 6, 3
MAX_PLAIN = 12
"""Sentences taken up as they stand when the rules cannot read the brief."""
MAX_CONSTRAINTS, MAX_RISKS, MAX_IN, MAX_OUT = 12, 8, 10, 8

_CLAUSE = re.compile(r"[,;:]\s+|\s+(?:and|but|und|aber)\s+")
_POINTING = re.compile(r"\b(?:it|that|them|this|es|das|dies)\b", re.IGNORECASE)
_NOUN_PHRASE = re.compile(
    r"\b(?:an?|eine?n?) ((?:[\w-]+ ){0,3}?[\w-]+)(?= (?:and|or|that|which|with|in|for|of|to|is|are|"
    r"has|und|oder|die|der|das|mit|f\u00fcr|in|ist|sind|hat)\b|[,.;:]|$)",
    re.IGNORECASE,
)


def draft_discovery(reading: Reading, ids: Ids) -> JsonDict:
    """The whole document."""
    frames, ruled = reading.frames, rulings(reading)
    gone = dropped_refs(ruled)
    standing = [s for s in reading.usable if s.ref not in gone] or list(reading.usable[:1])
    assumptions = Assumptions(ids)
    assumptions.declare(frames.label, frames.label_reason)
    wishes = list(wishes_of(reading, standing, ruled))
    limits = list(_constraints(reading, standing, ruled))
    objectives = _objectives(reading, standing, wishes)
    goals = numbered(ids, "OBJ", "description", objectives)
    unmeasured = [g["id"] for g in goals if not g["success_criteria"]]
    if unmeasured:
        assumptions.declare(frames.no_measure.format(ids=", ".join(unmeasured)), frames.no_measure_reason)
    asked = any(topic_of(a, reading) == "deadline" for a in reading.answers)
    if not reading.known:
        assumptions.declare(frames.unknown_language, frames.unknown_language_reason)
    elif not asked and not any(c["type"] == "time" for c in limits):
        assumptions.declare(frames.no_deadline, frames.no_deadline_reason)
    for ruling in ruled:
        if ruling.answer is None and ruling.kept is not None:
            assumptions.declare(_held(reading, ruling), frames.conflict_reason)
    return {
        "project_name": _name(reading, wishes),
        "objectives": goals,
        "stakeholders": numbered(ids, "STK", "name", stakeholders(reading, standing, wishes)),
        "constraints": numbered(ids, "CON", "description", limits),
        "risks": numbered(ids, "RSK", "description", _risks(reading, standing, limits, ruled)),
        "scope_summary": {"in": _in(wishes, objectives), "out": _out(reading, standing, ruled, assumptions)},
        "assumptions": assumptions.items,
    }


def wishes_of(reading: Reading, standing: Sequence[Statement], ruled: Sequence[Ruling]) -> Iterator[Wish]:
    """What the standing statements ask for, limits and exclusions left out."""
    before = ""
    settled = {r.answer.ref for r in ruled if r.answer and r.kept}
    for statement in standing:
        wishes = wishes_in(statement, reading.cues, before)
        wish = wishes[0] if wishes else None
        before = subject_of(wish, statement, reading.cues) or before
        if wish is not None and statement.ref not in settled and _asks_for(statement, wish, reading):
            yield from wishes


def _asks_for(statement: Statement, wish: Wish, reading: Reading) -> bool:
    """Whether the statement asks for something and is neither a limit nor an exclusion."""
    if statement.section in (Section.TODAY, Section.OUT, Section.PEOPLE):
        return False
    if statement.is_a("success", "no_money") or (statement.is_a("out") and not wish.action):
        return False
    if limit_type(statement, reading) or quality_of(statement, reading.cues, wish) is not None:
        return False
    return constraint_type(statement, reading.cues, wish) is None and not is_default(statement, reading)


def plain_statements(reading: Reading, standing: Sequence[Statement], wishes: Sequence[Wish]) -> tuple[Statement, ...]:
    """If the rules find neither a wish nor a problem in the brief: its sentences as they stand, without its limits."""
    brief = [s for s in standing if not s.topic]
    if any(_is_problem(s) or s.is_a("success") for s in brief) or any(not w.statement.topic for w in wishes):
        return ()
    return tuple(
        s
        for s in brief
        if not s.is_a("out", "opens", "later")
        and constraint_type(s, reading.cues, None) is None
        and quality_of(s, reading.cues, wish_of(s, reading.cues)) is None
    )[:MAX_PLAIN]


def objective_text(wish: Wish, reading: Reading) -> str:
    """The wish as an outcome, in the words of its sentence."""
    if reading.cues.language != "en" or wish.condition or wish.negated or wish.whole:
        return sentence(wish.statement.text)
    if wish.thing and wish.party is Party.PEOPLE:
        return sentence(wish.statement.text)
    if wish.thing:
        return sentence(f"have {wish.thing}" if wish.party is Party.CLIENT else wish.thing)
    if wish.party is Party.CLIENT:
        return sentence(wish.action)
    if wish.party is Party.PEOPLE and wish.modal not in ("must", "has to", "have to"):
        return sentence(f"{wish.subject} can {wish.action}")
    return sentence(wish.statement.text)


def _objectives(reading: Reading, standing: Sequence[Statement], wishes: Sequence[Wish]) -> list[JsonDict]:
    found = [_success(s, reading) for s in standing if s.is_a("success")][:1]
    goals = _client_goals(wishes)
    found += [_goal(w, reading, "high") for w in goals[:MAX_PROBLEMS]]
    problems = [s for s in standing if _is_problem(s) and not s.topic]
    found += [_problem(s, reading) for s in problems[:MAX_PROBLEMS]]
    found += _other_goals(reading, [w for w in wishes if w not in goals and not w.negated], MIN_OBJECTIVES - len(found))
    plain = plain_statements(reading, standing, wishes)[:MIN_OBJECTIVES]
    found += [_plain(s) for s in plain or ([] if found else _any_statement(standing))]
    kept = _with_one_high(distinct(found, "description")[:MAX_OBJECTIVES])
    return _with_first(kept, _first_problems(reading, standing))


def _with_one_high(objectives: list[JsonDict]) -> list[JsonDict]:
    if all(o["priority"] != "high" for o in objectives):
        objectives[0]["priority"] = "high"
    return objectives


def _any_statement(standing: Sequence[Statement]) -> list[Statement]:
    return [*(s for s in standing if not s.topic), *standing][:1]


def _client_goals(wishes: Sequence[Wish]) -> list[Wish]:
    """The first wish of each sentence that says what the client aims for."""
    aims = [w for w in wishes if w.party is Party.CLIENT and w.statement.is_a("goal") and not w.condition]
    return [w for w in aims if w is next(v for v in wishes if v.statement is w.statement)]


def _other_goals(reading: Reading, wishes: Sequence[Wish], count: int) -> Iterator[JsonDict]:
    """At most ``count`` of the wishes, but at least the first: it is the core, without it the result is useless."""
    for number, wish in enumerate(wishes[: max(1, count)]):
        weak = wish.statement.is_a("weak", "later")
        yield _goal(wish, reading, "low" if weak else "medium" if number else "high")


def _first_problems(reading: Reading, standing: Sequence[Statement]) -> list[Statement]:
    """Answers that say which problem comes first."""
    first = {s.ref for s in standing if topic_of(s, reading) == "" and s.topic and s.is_a("problem")}
    return [s for s in standing if s.ref in first]


def _with_first(objectives: list[JsonDict], answers: Sequence[Statement]) -> list[JsonDict]:
    """The objectives after an answer that says which problem comes first: that one high, the others medium."""
    for answer in answers:
        chosen = [o for o in objectives if bare(answer.text).removesuffix(" …") in o["description"]]
        for objective in objectives if chosen else []:
            if objective["description"].startswith(chosen[0]["description"][:12]):
                objective["priority"] = "high" if objective in chosen else "medium"
        if chosen:
            chosen[0]["sources"] = merged(chosen[0]["sources"], [answer.source()])
    return objectives


def _is_problem(statement: Statement) -> bool:
    normative = statement.is_a("need", "success") or statement.section in (Section.WANT, Section.LIMITS)
    return statement.is_a("problem") and not normative


def _success(statement: Statement, reading: Reading) -> JsonDict:
    found = reading.cues.patterns["success"].search(bare(statement.text))
    rest = found.group("rest") if found else statement.text
    text = sentence(shorten(rest, TEXT_WORDS))
    return _objective(text, "high", _figures(statement, reading), statement)


def _goal(wish: Wish, reading: Reading, priority: str) -> JsonDict:
    return _objective(
        shorten(objective_text(wish, reading), TEXT_WORDS), priority, _figures(wish.statement, reading), wish.statement
    )


def _problem(statement: Statement, reading: Reading) -> JsonDict:
    frames = reading.frames
    text = frames.end_problem.format(text=shorten(bare(statement.text), TEXT_WORDS - 10))
    clauses = [c for c in _CLAUSE.split(bare(statement.text)) if reading.cues.has("problem", c)]
    told = [c for c in clauses if reading.cues.has("number", c) and re.search(r"\d|\bin (?:ten|five|four)", c)]
    criteria = [frames.figure_falls.format(text=shorten(told[0], LINE_WORDS))] if told else []
    return _objective(text, "high", criteria, statement)


def _plain(statement: Statement) -> JsonDict:
    return _objective(sentence(shorten(statement.text, TEXT_WORDS)), "high", [], statement)


def _objective(text: str, priority: str, criteria: list[str], statement: Statement) -> JsonDict:
    return {
        "sources": [statement.source()],
        "description": text,
        "priority": priority,
        "success_criteria": criteria,
    }


def _figures(statement: Statement, reading: Reading) -> list[str]:
    found = [m.group() for m in reading.cues.patterns["measure"].finditer(statement.text)]
    told = [m for m in found if re.search(r"\d", m) or len(m.split()) > 2]  # noqa: PLR2004
    return [reading.frames.figure_met.format(text=bare(text)) for text in dict.fromkeys(told[:2])]


def _constraints(reading: Reading, standing: Sequence[Statement], ruled: Sequence[Ruling]) -> Iterator[JsonDict]:
    frames, given, seen = reading.frames, 0, set()
    settled = {r.answer.ref: r for r in ruled if r.answer}
    for statement in standing:
        kind = limit_type(statement, reading)
        if statement.ref in settled or (statement.topic and is_default(statement, reading)):
            continue
        wish = wish_of(statement, reading.cues)
        kind = kind or constraint_type(statement, reading.cues, wish)
        if kind is None or given == MAX_CONSTRAINTS:
            continue
        given += 1
        text = shorten(statement.text, TEXT_WORDS)
        if statement.topic:
            text = frames.answered.format(question=shorten(statement.topic, 25), answer=bare(text))
        yield {
            "sources": [statement.source()],
            "type": kind,
            "description": sentence(text),
            **({"impact": frames.impact[kind]} if kind not in seen else {}),
        }
        seen.add(kind)


def _risks(
    reading: Reading, standing: Sequence[Statement], limits: Sequence[JsonDict], ruled: Sequence[Ruling]
) -> list[JsonDict]:
    frames = reading.frames
    found = [_conflict_risk(ruling, frames) for ruling in ruled]
    found += _open_risks(frames, standing)
    for limit in [one for one in limits if one["type"] == "time"][:1]:
        text = shorten(bare(limit["description"]), TEXT_WORDS - 20)
        found.append(_risk(limit["sources"], frames.late.format(text=text), "medium", "high", frames.drop_first))
    found += _capacity_risks(reading, standing)
    settled = {r.answer.ref for r in ruled if r.answer}
    left = [a for a in reading.answers if a.assumption and a.ref not in settled]
    if left:
        refs = ", ".join(a.assumption for a in left)
        sources = merged(a.source() for a in left)
        found.append(_risk(sources, frames.left_open.format(ids=refs), "medium", "medium", frames.settle))
    return distinct(found, "description")[:MAX_RISKS]


def _conflict_risk(ruling: Ruling, frames: Frames) -> JsonDict:
    conflict, answer = ruling.conflict, ruling.answer
    first, second = conflict.choices()
    decided = answer is not None and not answer.assumption
    likelihood, mitigation = ("low", frames.settled) if decided else ("high", frames.settle_conflict)
    sources = merged([conflict.first.source(), conflict.second.source()], [answer.source()] if answer else [])
    return _risk(sources, frames.disagree.format(first=first, second=second), likelihood, "high", mitigation)


def _open_risks(frames: Frames, standing: Sequence[Statement]) -> Iterator[JsonDict]:
    for statement in standing:
        if statement.is_a("opens") and not statement.topic and not _is_problem(statement):
            text = frames.unsettled.format(text=shorten(bare(statement.text), TEXT_WORDS - 15))
            yield _risk([statement.source()], text, "medium", "medium", frames.settle)


def _capacity_risks(reading: Reading, standing: Sequence[Statement]) -> Iterator[JsonDict]:
    frames = reading.frames
    for statement in standing:
        cap = reading.cues.patterns["limit"].search(statement.text)
        if cap and constraint_type(statement, reading.cues, None) == "resource":
            text = frames.beyond.format(text=cap.group("what"))
            yield _risk([statement.source(cap.group("what"))], text, "medium", "medium", frames.refuse_early)


def _risk(sources: list[dict[str, str]], text: str, likelihood: str, impact: str, mitigation: str) -> JsonDict:
    return {
        "sources": sources,
        "description": sentence(text),
        "likelihood": likelihood,
        "impact": impact,
        "mitigation": mitigation,
    }


def _held(reading: Reading, ruling: Ruling) -> str:
    first, second = ruling.conflict.choices()
    refs = (ruling.conflict.first.ref, ruling.conflict.second.ref)
    return reading.frames.held.format(first=first, second=second, one=refs[0], other=refs[1])


def _in(wishes: Sequence[Wish], objectives: Sequence[JsonDict]) -> list[str]:
    lines = [f"{headline(title(w, w.statement), LINE_WORDS)} ({w.statement.ref})" for w in wishes if not w.negated]
    return list(dict.fromkeys(lines))[:MAX_IN] or [
        f"{shorten(bare(o['description']), LINE_WORDS)} ({o['sources'][0]['ref']})" for o in objectives[:MAX_IN]
    ]


def _out(
    reading: Reading, standing: Sequence[Statement], ruled: Sequence[Ruling], assumptions: Assumptions
) -> list[str]:
    lines = [line for s in standing if (line := _excluded(s, reading))]
    lines += [
        f"{shorten(capital(bare(s.text)), LINE_WORDS)} ({r.answer.ref if r.answer else s.ref})"
        for r in ruled
        for s in r.dropped
    ]
    if lines:
        return list(dict.fromkeys(lines))[:MAX_OUT]
    frames = reading.frames
    number = assumptions.declare(frames.nothing_else, frames.nothing_else_reason)
    return [f"{frames.nothing_else_line} ({number})"]


def _excluded(statement: Statement, reading: Reading) -> str:
    marked = statement.section is Section.OUT or statement.is_a("out", "later")
    if not marked or (statement.topic and topic_of(statement, reading)):
        return ""
    found = reading.cues.patterns["out"].search(bare(statement.text))
    whats = [g for g in found.groups() if g] if found else []
    if not whats or _POINTING.search(whats[0]):
        return f"\u201c{shorten(quote(statement.text, whats[0] if whats else ''), LINE_WORDS)}\u201d ({statement.ref})"
    return f"{capital(shorten(bare(whats[0]), LINE_WORDS))} ({statement.ref})"


def _name(reading: Reading, wishes: Sequence[Wish]) -> str:
    head = next((s for s in reading.brief if s.is_a("heading")), None)
    first = reading.brief[0] if reading.brief else None
    if head is not None and head is first:
        return capital(shorten(bare(head.text), 12))
    own = [w for w in wishes if not w.statement.topic]
    if own:
        return headline(title(own[0], own[0].statement), 8)
    text = first.text if first else reading.frames.unnamed
    found = _NOUN_PHRASE.search(text)
    return capital(found.group(1)) if found else capital(shorten(bare(text), 8))

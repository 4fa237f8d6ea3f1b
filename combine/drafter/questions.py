"""What the rules ask before they draft: only what the brief leaves open and what would change a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import MappingProxyType

from combine.documents.questions import MAX_QUESTIONS
from combine.documents.quotes import fold
from combine.documents.words import distinct_words, overlap
from combine.drafter.conflicts import conflicts
from combine.drafter.draft import JsonDict
from combine.drafter.frame_types import Frames
from combine.drafter.frames import QuestionFrame
from combine.drafter.grammar import wish_of
from combine.drafter.limits import constraint_type, quality_of
from combine.drafter.reading import Reading, Section, Statement
from combine.drafter.text import bare, shorten

MAX_CONFLICT_QUESTIONS = 5
MAX_CHOICES = 4
_LIMIT_TYPES = MappingProxyType({"deadline": "time", "budget": "budget", "data": "regulatory", "volume": "technical"})
NEAR_COPY = 0.75
"""Share of common words from which a question is left out as a copy of an earlier one."""


def ask_questions(reading: Reading) -> list[JsonDict]:
    """At most five questions, those first whose answers change most; none if anything was answered already."""
    if reading.answers or not reading.known or not any(s.usable for s in reading.brief):
        return []
    asked: list[JsonDict] = []
    for question in _ranked(reading):
        own = distinct_words(question["text"])
        if all(overlap(own, distinct_words(other["text"])) < NEAR_COPY for other in asked):
            asked.append(question)
    return asked[:MAX_QUESTIONS]


def limit_type(answer: Statement, reading: Reading) -> str | None:
    """Which type of constraint the answer to a fixed question is; None for every other statement."""
    return _LIMIT_TYPES.get(topic_of(answer, reading)) if answer.topic else None


def topic_of(answer: Statement, reading: Reading) -> str:
    """Which of the fixed questions an answer belongs to; empty for any other question."""
    asked = fold(answer.topic)
    return next((name for name, q in reading.frames.questions.items() if fold(q.text) == asked), "")


def is_default(answer: Statement, reading: Reading) -> bool:
    """Whether the answer leaves things as open as they were."""
    if not answer.topic:
        return False
    topic = topic_of(answer, reading)
    if any(limit_answer(what, reading) is answer for what in limits_in(reading)):
        return True  # it shapes the requirement that holds the limit and needs no item of its own
    if topic == "functions":
        return False  # its default says what is to be built
    return bool(topic) and fold(answer.text) == fold(reading.frames.questions[topic].default)


def _ranked(reading: Reading) -> Iterator[JsonDict]:
    frames, brief = reading.frames, [s for s in reading.brief if s.usable]
    for conflict in conflicts(reading)[:MAX_CONFLICT_QUESTIONS]:
        first, second = conflict.choices()
        yield _choice(frames.conflict.text.format(first=first, second=second), frames.conflict.why, (first, second))
    vague = _is_vague(reading)
    if vague:
        yield _asked(frames.questions["functions"])
        problems = [shorten(bare(s.text), 24) for s in brief if s.is_a("problem")][:MAX_CHOICES]
        if len(problems) > 1:
            yield _choice(frames.first_problem.text, frames.first_problem.why, tuple(dict.fromkeys(problems)))
    for what in limits_in(reading)[:1]:
        frame = frames.limit_question
        yield _choice(frame.text.format(text=what), frame.why, frame.choices)
    yield from _missing(brief, frames, vague=vague)


def _missing(brief: Sequence[Statement], frames: Frames, *, vague: bool) -> Iterator[JsonDict]:
    """Questions about what every project needs to know and the brief does not say."""
    if not any(s.is_a("deadline") and s.is_a("date", "deadline_span") for s in brief):
        yield _asked(frames.questions["deadline"])
    if not any(s.is_a("personal", "law") for s in brief):
        yield _asked(frames.questions["data"])
    if not any(s.is_a("budget", "no_money", "money") for s in brief) and (vague or any(s.is_a("cost") for s in brief)):
        yield _asked(frames.questions["budget"])
    if not any(s.is_a("user_count", "measure") for s in brief):
        yield _asked(frames.questions["volume"])


def limits_in(reading: Reading) -> list[str]:
    """The limits on a capacity that the brief states, in its words."""
    found = []
    for statement in reading.brief:
        cap = reading.cues.patterns["limit"].search(statement.text)
        wish = wish_of(statement, reading.cues)
        if cap and statement.usable and constraint_type(statement, reading.cues, wish) == "resource":
            found.append(cap.group("what"))
    return found


def limit_answer(what: str, reading: Reading) -> Statement | None:
    """The answer that says what happens at that limit."""
    asked = fold(reading.frames.limit_question.text.format(text=what))
    return next((a for a in reading.answers if fold(a.topic) == asked), None)


def _is_vague(reading: Reading) -> bool:
    """Whether the brief says nothing that somebody should be able to do."""
    for statement in reading.brief:
        wish = wish_of(statement, reading.cues)
        if (
            wish is None
            or not statement.usable
            or statement.section is Section.TODAY
            or not wish.action
            or wish.negated
        ):
            continue
        limits = constraint_type(statement, reading.cues, wish) or quality_of(statement, reading.cues, wish)
        if limits is None:
            return False
    return True


def _asked(frame: QuestionFrame) -> JsonDict:
    return {
        "text": frame.text,
        "why": frame.why,
        "answer_type": "single_choice" if frame.choices else "free_text",
        "choices": list(frame.choices),
        "default": frame.default,
        "required": True,
    }


def _choice(text: str, why: str, choices: tuple[str, ...]) -> JsonDict:
    return {
        "text": text,
        "why": why,
        "answer_type": "single_choice",
        "choices": list(choices),
        "default": choices[0],
        "required": True,
    }

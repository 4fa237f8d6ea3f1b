"""Settles questions: answers given in advance, "decide for me", and the resulting assumptions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from combine.documents.questions import Answer, AnswerType, Question
from combine.documents.statuses import DecidedBy
from combine.errors import Invalid

DECIDE_FOR_ME = "decide for me"
_DECIDE = frozenset({DECIDE_FOR_ME, "decide", "default", "?"})
_YES = frozenset({"yes", "y", "true", "ja", "j"})
_NO = frozenset({"no", "n", "false", "nein"})
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_NUMBER = re.compile(r"^[+-]?\d+(?:[.,]\d+)?\s*\S{0,20}$")


@dataclass(frozen=True, slots=True)
class Settlement:
    """The answer to one question."""

    question: Question
    text: str
    decided_by: DecidedBy
    assumption_id: str | None = None

    @property
    def number(self) -> int:
        """3 for ``Q-3``."""
        return int(self.question.id.removeprefix("Q-"))

    def answer(self) -> Answer:
        """The answer in normalised form."""
        return Answer(self.question.id, self.question.text, self.text, self.decided_by, self.assumption_id)


def normalise(question: Question, given: str) -> str:
    """The answer in the form that its type requires. Raises Invalid with the accepted form."""
    text = " ".join(given.split())
    check = _CHECKS.get(question.answer_type)
    if not text:
        raise _unusable(question, given, "must not be empty")
    return text if check is None else check(question, text)


def settle_questions(
    questions: Sequence[Question],
    given: Mapping[str, str],
    *,
    decide_rest: bool,
    next_assumption: int,
    strict: bool = True,
) -> list[Settlement]:
    """Answers for all questions that ``given`` (by id or text) or the defaults settle, in order.

    Args:
        questions: with their ids.
        given: question id or text -> answer; ``decide for me`` takes the default.
        decide_rest: take the default of every question that ``given`` does not answer.
        next_assumption: the first free ``ASM-`` number.
        strict: raise Invalid for an answer that is not valid; otherwise leave its question open.

    """
    by_key = {_key(name): value for name, value in given.items()}
    settled: list[Settlement] = []
    number = next_assumption
    for question in questions:
        value = by_key.get(_key(question.id), by_key.get(_key(question.text)))
        if value is not None and _key(value) not in _DECIDE:
            try:
                settled.append(Settlement(question, normalise(question, value), DecidedBy.PERSON))
            except Invalid:
                if strict:
                    raise
        elif value is not None or decide_rest:
            settled.append(Settlement(question, question.default, DecidedBy.DEFAULT, f"ASM-{number:03d}"))
            number += 1
    return settled


def unknown_names(questions: Iterable[Question], given: Mapping[str, str]) -> list[str]:
    """Keys of ``given`` that do not match a question."""
    known = {_key(name) for question in questions for name in (question.id, question.text)}
    return [name for name in given if _key(name) not in known]


def with_assumptions(document: Mapping[str, Any], answers: Sequence[Answer]) -> dict[str, Any]:
    """The document with an assumption for each of its step's questions that was settled by its default."""
    merged = dict(document)
    if not isinstance(merged.get("assumptions"), list):
        return merged
    present = {item.get("id") for item in merged["assumptions"] if isinstance(item, dict)}
    merged["assumptions"] = [
        {"id": answer.assumption_id, "text": _statement(answer), "reason": f"{answer.id} was left to us."}
        for answer in answers
        if answer.assumption_id and answer.assumption_id not in present
    ] + merged["assumptions"]
    return merged


def _statement(answer: Answer) -> str:
    text = answer.text.strip()
    return text if text.endswith((".", "。", "\u06d4")) else f"{answer.question} {text}"


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()


def _unusable(question: Question, given: str, why: str) -> Invalid:
    return Invalid(
        f"The answer {given!r} to {question.id} is not valid: {why}.",
        code="answer_invalid",
        hint=f"{question.id} asks: {question.text}",
        details={"question": question.id},
    )


def _choice(question: Question, text: str) -> str:
    for number, choice in enumerate(question.choices, 1):
        if _key(text) in {_key(choice), str(number)}:
            return choice
    raise _unusable(question, text, f"must be one of: {'; '.join(question.choices).rstrip('.')}")


def _choices(question: Question, text: str) -> str:
    parts = [part for part in re.split(r"[;,]", text) if part.strip()]
    try:
        return "; ".join(dict.fromkeys(_choice(question, part.strip()) for part in parts))
    except Invalid:
        return _choice(question, text)  # a choice may itself contain a comma


def _yes_no(question: Question, text: str) -> str:
    if _key(text) in _YES:
        return "yes"
    if _key(text) in _NO:
        return "no"
    raise _unusable(question, text, "must be yes or no")


def _number(question: Question, text: str) -> str:
    if not _NUMBER.match(text):
        raise _unusable(question, text, "must be a number, e.g. 250")
    return text


def _date(question: Question, text: str) -> str:
    if not _DATE.match(text):
        raise _unusable(question, text, "must be a date in the form YYYY-MM-DD, e.g. 2027-03-21")
    return text


_CHECKS = {
    AnswerType.SINGLE_CHOICE: _choice,
    AnswerType.MULTI_CHOICE: _choices,
    AnswerType.YES_NO: _yes_no,
    AnswerType.NUMBER: _number,
    AnswerType.DATE: _date,
}

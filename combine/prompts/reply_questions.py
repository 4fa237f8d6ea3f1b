"""The questions of a reply: the checks before a person is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from combine.documents.findings import Finding, Severity, fault, shown
from combine.documents.questions import MAX_QUESTIONS, AnswerType, Question
from combine.documents.quotes import fold
from combine.documents.words import distinct_words, overlap

MIN_CHOICES = 2
MAX_CHOICES = 6
MAX_QUESTION_WORDS = 100
NEAR_COPY = 0.8
"""Minimum share of common words for two questions to count as the same."""

_ENDS = ("?", "\uff1f", "\u061f")
_FIELDS = {"id", "text", "why", "answer_type", "choices", "default", "required"}


def check_questions(
    raw: Sequence[Any], document_type: str, earlier: Sequence[str]
) -> tuple[tuple[Question, ...], tuple[Finding, ...]]:
    """The questions that could be read, and everything wrong with any of them."""
    findings: list[Finding] = []
    questions: list[Question] = []
    if len(raw) > MAX_QUESTIONS:
        message = f"There are {len(raw)} questions: ask the {MAX_QUESTIONS} whose answers change most."
        findings.append(fault(Severity.MAJOR, "too_many_questions", document_type, message, path="$.questions"))
    asked = list(earlier)
    for index, value in enumerate(raw[: MAX_QUESTIONS * 2]):
        question, problems = _check_one(value, asked)
        path = f"$.questions[{index}]"
        findings += [
            fault(Severity.MAJOR, code, document_type, message, path=f"{path}{field}", found=_field(value, field))
            for code, field, message in problems
        ]
        if question:
            questions.append(question)
            asked.append(question.text)
    return tuple(questions), tuple(findings)


Problem = tuple[str, str, str]
"""Code, path below the question, message."""


def _field(value: Any, field: str) -> Any:
    return value.get(field[1:]) if field and isinstance(value, Mapping) else None


def _check_one(value: Any, asked: Sequence[str]) -> tuple[Question | None, list[Problem]]:
    if not isinstance(value, Mapping):
        return None, [("question_form", "", "A question is an object with text, why, answer_type, choices, default.")]
    problems = [
        ("extra_field", f".{name}", f"A question has no field {shown(name, 60)}: leave it out.")
        for name in value
        if name not in _FIELDS
    ]
    text, why, default = (_text(value, name) for name in ("text", "why", "default"))
    problems += _text_problems(text, asked)
    if not why:
        problems.append(("question_why", ".why", "Say in why which decision hangs on the answer."))
    kind = _kind(value.get("answer_type"))
    if kind is None:
        known = ", ".join(AnswerType)
        return None, [*problems, ("question_type", ".answer_type", f"The answer_type is none of: {known}.")]
    choices = _choices(value.get("choices"))
    default, more = _checked_default(kind, choices, default)
    problems += more
    required = value.get("required", True)
    if not isinstance(required, bool):
        problems.append(("question_form", ".required", "required is true or false."))
    if problems:
        return None, problems
    kept = choices if kind in (AnswerType.SINGLE_CHOICE, AnswerType.MULTI_CHOICE) else ()
    return Question(text, why, kind, default, tuple(kept or ()), bool(required)), []


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    return text.strip() if isinstance(text, str) else ""


def _kind(raw: Any) -> AnswerType | None:
    folded = raw.strip().casefold().replace("-", "_").replace(" ", "_") if isinstance(raw, str) else ""
    return AnswerType(folded) if folded in set(AnswerType) else None


def _text_problems(text: str, asked: Sequence[str]) -> list[Problem]:
    if not text.endswith(_ENDS):
        return [("question_text", ".text", "A question ends with a question mark.")]
    if len(text.split()) > MAX_QUESTION_WORDS:
        return [("question_text", ".text", "A question asks one thing in at most 40 words.")]
    own = distinct_words(text)
    for other in asked:
        if fold(text) == fold(other) or overlap(own, distinct_words(other)) >= NEAR_COPY:
            return [("question_repeated", ".text", f"This repeats the question: {shown(other, 200)}")]
    return []


def _choices(raw: Any) -> tuple[str, ...] | None:
    if raw is None:
        return ()
    if not isinstance(raw, list) or not all(isinstance(c, str) and c.strip() for c in raw):
        return None
    return tuple(c.strip() for c in raw)


def _checked_default(kind: AnswerType, choices: tuple[str, ...] | None, default: str) -> tuple[str, list[Problem]]:
    """The default in the spelling of the choices, and the faults of choices and default."""
    if kind in (AnswerType.SINGLE_CHOICE, AnswerType.MULTI_CHOICE):
        return _checked_choice(kind, choices, default)
    message = "" if default else "Give the default that stands if the person does not decide."
    if default and kind is AnswerType.YES_NO:
        default = default.rstrip(".").casefold()
        message = "" if default in ("yes", "no") else "The default of a yes_no question is yes or no."
    return default, [("question_default", ".default", message)] if message else []


def _checked_choice(kind: AnswerType, choices: tuple[str, ...] | None, default: str) -> tuple[str, list[Problem]]:
    different = {fold(c): c for c in choices or ()}
    if choices is None or len(different) < len(choices) or not MIN_CHOICES <= len(choices) <= MAX_CHOICES:
        message = f"Give {MIN_CHOICES} to {MAX_CHOICES} different choices as texts."
        return default, [("question_choices", ".choices", message)]
    is_one = kind is AnswerType.SINGLE_CHOICE or fold(default) in different
    named = [fold(part) for part in ([default] if is_one else default.split(";"))]
    if not all(part in different for part in named):
        message = f"The default is one of the choices: {'; '.join(choices)}"
        return default, [("question_default", ".default", message)]
    return "; ".join(different[part] for part in named), []

"""Questions a role may ask before drafting, and the answers that bind every later step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from combine.documents.statuses import DecidedBy

MAX_QUESTIONS = 5
MAX_QUESTION_ROUNDS = 2


class AnswerType(StrEnum):
    """The form of an answer."""

    FREE_TEXT = "free_text"
    SINGLE_CHOICE = "single_choice"
    MULTI_CHOICE = "multi_choice"
    YES_NO = "yes_no"
    NUMBER = "number"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Question:
    """One question as a role asks it; its execution-wide id (``Q-1``...) is given by code when it is stored."""

    text: str
    why: str
    """The decision that depends on it."""
    answer_type: AnswerType
    default: str
    """Used if the person says "decide for me"; a full sentence that can be recorded as an assumption,
    or one of ``choices``."""
    choices: tuple[str, ...] = ()
    required: bool = True
    id: str = ""


def waits_for_answers(waiting: int, asked: int) -> str:
    """The reason of a step that has asked, and whose questions are not all settled."""
    questions = "question" if asked == 1 else "questions"
    return f"{waiting} of {asked} {questions} {'waits' if waiting == 1 else 'wait'} for an answer."


@dataclass(frozen=True, slots=True)
class Answer:
    """A settled question. Binding."""

    id: str
    """``Q-1``, ``Q-2``... over the whole execution."""
    question: str
    text: str
    """The answer in words; for multi_choice the choices joined by ``; ``."""
    decided_by: DecidedBy = DecidedBy.PERSON
    assumption_id: str | None = None
    """``ASM-001`` if the default is recorded as an assumption."""

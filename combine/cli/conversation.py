"""What is asked of a person at a terminal when an execution waits for one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from combine.cli.ports import Working
from combine.cli.result import findings_as_text
from combine.cli.runtime import say
from combine.cli.terminal import read_line
from combine.cli.wording import count, short
from combine.documents.questions import AnswerType, Question
from combine.documents.statuses import DecisionAction, ExecutionStatus, StepStatus
from combine.errors import Conflict, Invalid
from combine.execution.clarification import DECIDE_FOR_ME, normalise, unknown_names
from combine.services.views import ExecutionDetail, QuestionView, StepView

_FORMS = {
    AnswerType.SINGLE_CHOICE: "number or words of one choice",
    AnswerType.MULTI_CHOICE: "numbers or words, separated by ;",
    AnswerType.YES_NO: "yes or no",
    AnswerType.NUMBER: "a number",
    AnswerType.DATE: "a date as YYYY-MM-DD",
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """Asks, and hands what is said to the services."""

    working: Working

    async def settle(self, detail: ExecutionDetail) -> bool:
        """Whether the person has said what lets the execution go on."""
        match detail.execution.status:
            case ExecutionStatus.WAITING_FOR_ANSWERS:
                return await self._answers(detail)
            case ExecutionStatus.WAITING_FOR_ACCEPTANCE:
                return await self._acceptance(detail)
            case ExecutionStatus.WAITING_FOR_DECISION:
                return await self._decision(detail)
        return False

    async def _answers(self, detail: ExecutionDetail) -> bool:
        """Every answer is stored as soon as it is given, so an interruption loses none."""
        waiting = detail.open_questions
        say()
        say(f"{count(len(waiting), 'question')} before drafting. Enter leaves one to us; Ctrl-D keeps it for later.")
        for number, question in enumerate(waiting, 1):
            answer = await _ask(question, number, len(waiting))
            if answer is None:
                return False
            await self.working.executions.answer(str(detail.execution.id), {question.id: answer})
        say()
        return True

    async def _acceptance(self, detail: ExecutionDetail) -> bool:
        name = str(detail.execution.id)
        for step in [step for step in detail.steps if step.status is StepStatus.WAITING_FOR_ACCEPTANCE]:
            choice = await _choose(f"\n{step.step_id}: {_where(step)}", ("accept", "send back", "later"))
            if choice == "accept":
                await self.working.executions.accept(name, step.step_id)
            elif choice == "send back" and (reason := await _words("Why? It becomes an input of the next attempt")):
                await self.working.executions.reject(name, reason, step.step_id)
            else:
                return False
        return True

    async def _decision(self, detail: ExecutionDetail) -> bool:
        say(f"\n{detail.execution.reason or 'The limit of revisions is reached.'}")
        for line in findings_as_text(detail):
            say(line)
        while True:
            choice = await _choose("What now?", ("accept anyway", "try again with guidance", "cancel", "later"))
            action = {"accept anyway": DecisionAction.ACCEPT_ANYWAY, "cancel": DecisionAction.CANCEL}.get(choice)
            guidance = None
            if choice == "try again with guidance":
                action = DecisionAction.TRY_AGAIN
                guidance = await _words("What should be different?")
            if action is None or (action is DecisionAction.TRY_AGAIN and not guidance):
                return False
            try:
                await self.working.executions.decide(str(detail.execution.id), action, guidance)
            except Conflict as refused:  # e.g. an output that is no document cannot be accepted
                say(f"{refused.message}")
                continue
            return True


async def _ask(question: QuestionView, number: int, total: int) -> str | None:
    """A usable answer, or "decide for me"; None at the end of input."""
    say(f"\n[{number}/{total}] {question.id} {question.text}" + ("" if question.required else " (may be skipped)"))
    say(f"  Why: {question.why}")
    for place, choice in enumerate(question.choices, 1):
        say(f"  {place}. {choice}")
    form = _FORMS.get(AnswerType(question.answer_type))
    if form:
        say(f"  Answer: {form}.")
    say(f"  Enter: decide for me ({question.default})")
    while (given := await read_line("> ")) is not None:
        if not given:
            return DECIDE_FOR_ME
        try:
            return given if given.casefold() == DECIDE_FOR_ME else normalise(as_question(question), given)
        except Invalid as fault:
            say(f"  {fault.message}")
    return None


def about_given_answers(detail: ExecutionDetail, given: Mapping[str, str]) -> Iterator[str]:
    """What became of answers given in advance, where nothing became of them."""
    if detail.execution.status is ExecutionStatus.COMPLETED:
        unasked = unknown_names([as_question(view) for view in detail.questions], given)
        if unasked:
            yield f"Nobody asked for these answers, so they were not used: {', '.join(map(repr, unasked))}."
    for view in detail.open_questions:
        question = as_question(view)
        for name, answer in given.items():
            if not unknown_names([question], {name: answer}):
                try:
                    normalise(question, answer)
                except Invalid as fault:
                    yield fault.message


def as_question(view: QuestionView) -> Question:
    """The question as the rules for answers take it."""
    return Question(
        id=view.id,
        text=view.text,
        why=view.why,
        answer_type=AnswerType(view.answer_type),
        default=view.default,
        choices=view.choices,
        required=view.required,
    )


def _where(step: StepView) -> str:
    read = (
        "" if step.document_id is None else f" Read it in another terminal: combine docs show {short(step.document_id)}"
    )
    return f"{step.output} waits for acceptance.{read}"


async def _choose(title: str, options: tuple[str, ...]) -> str:
    """One of ``options``, by number or the beginning of its words; the last one at the end of input."""
    say(title)
    for number, option in enumerate(options, 1):
        say(f"  {number}. {option}")
    while (given := await read_line("> ")) is not None:
        fitting = [o for n, o in enumerate(options, 1) if given == str(n) or (given and o.startswith(given.lower()))]
        if len(fitting) == 1:
            return fitting[0]
        say(f"  Type a number from 1 to {len(options)}.")
    return options[-1]


async def _words(title: str) -> str:
    return await read_line(f"  {title}\n> ") or ""

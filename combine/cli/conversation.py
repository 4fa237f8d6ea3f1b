"""Asks the user at a terminal for what an execution waits for."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from combine.cli.formatting import count, short
from combine.cli.ports import WorkServices
from combine.cli.result import finding_lines
from combine.cli.runtime import say
from combine.documents.questions import AnswerType, Question
from combine.documents.statuses import DecisionAction, ExecutionStatus, StepStatus
from combine.errors import Conflict, Invalid
from combine.execution.clarification import DECIDE_FOR_ME, normalise, unknown_names
from combine.services.views import ExecutionDetail, QuestionView, StepView

_MAX_LINE_BYTES = 65_536

_ANSWER_FORMS = {
    AnswerType.SINGLE_CHOICE: "the number or text of one choice",
    AnswerType.MULTI_CHOICE: "numbers or texts of choices, separated by ;",
    AnswerType.YES_NO: "yes or no",
    AnswerType.NUMBER: "a number",
    AnswerType.DATE: "a date as YYYY-MM-DD",
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """Asks the user and passes the answers to the services."""

    services: WorkServices

    async def ask(self, detail: ExecutionDetail) -> bool:
        """Whether the user has answered, so that the execution can continue."""
        match detail.execution.status:
            case ExecutionStatus.WAITING_FOR_ANSWERS:
                return await self._answers(detail)
            case ExecutionStatus.WAITING_FOR_ACCEPTANCE:
                return await self._acceptance(detail)
            case ExecutionStatus.WAITING_FOR_DECISION:
                return await self._decision(detail)
        return False

    async def _answers(self, detail: ExecutionDetail) -> bool:
        """Each answer is saved at once, so that an interruption loses none."""
        waiting = detail.open_questions
        say()
        say(f"{count(len(waiting), 'question')} before drafting. Press Enter for the default, Ctrl-D to answer later.")
        for number, question in enumerate(waiting, 1):
            answer = await _ask_question(question, number, len(waiting))
            if answer is None:
                return False
            await self.services.executions.answer(str(detail.execution.id), {question.id: answer})
        say()
        return True

    async def _acceptance(self, detail: ExecutionDetail) -> bool:
        name = str(detail.execution.id)
        for step in [step for step in detail.steps if step.status is StepStatus.WAITING_FOR_ACCEPTANCE]:
            choice = await _choose(f"\n{step.step_id}: {_acceptance_prompt(step)}", ("accept", "send back", "later"))
            if choice == "accept":
                await self.services.executions.accept(name, step.step_id)
            elif choice == "send back" and (reason := await _ask_text("What should be changed?")):
                await self.services.executions.reject(name, reason, step.step_id)
            else:
                return False
        return True

    async def _decision(self, detail: ExecutionDetail) -> bool:
        say(f"\n{detail.execution.reason or 'The revision limit has been reached.'}")
        for line in finding_lines(detail):
            say(line)
        while True:
            choice = await _choose("What now?", ("accept anyway", "try again with guidance", "cancel", "later"))
            action = {"accept anyway": DecisionAction.ACCEPT_ANYWAY, "cancel": DecisionAction.CANCEL}.get(choice)
            guidance = None
            if choice == "try again with guidance":
                action = DecisionAction.TRY_AGAIN
                guidance = await _ask_text("What should be changed?")
            if action is None or (action is DecisionAction.TRY_AGAIN and not guidance):
                return False
            try:
                await self.services.executions.decide(str(detail.execution.id), action, guidance)
            except Conflict as error:  # for example, an invalid document cannot be accepted
                say(error.message)
                continue
            return True


async def _ask_question(question: QuestionView, number: int, total: int) -> str | None:
    """A valid answer, or "decide for me"; None at the end of input."""
    say(f"\n[{number}/{total}] {question.id} {question.text}" + ("" if question.required else " (optional)"))
    say(f"  Why: {question.why}")
    for index, choice in enumerate(question.choices, 1):
        say(f"  {index}. {choice}")
    form = _ANSWER_FORMS.get(AnswerType(question.answer_type))
    if form:
        say(f"  Answer: {form}.")
    say(f"  Default: {question.default}")
    while (given := await read_line("> ")) is not None:
        if not given:
            return DECIDE_FOR_ME
        try:
            return given if given.casefold() == DECIDE_FOR_ME else normalise(as_question(question), given)
        except Invalid as error:
            say(f"  {error.message}")
    return None


def answer_warnings(detail: ExecutionDetail, given: Mapping[str, str]) -> Iterator[str]:
    """The answers given in advance that were not used, and why."""
    if detail.execution.status is ExecutionStatus.COMPLETED:
        unasked = unknown_names([as_question(view) for view in detail.questions], given)
        if unasked:
            yield f"Unused answers (these questions were not asked): {', '.join(map(repr, unasked))}."
    for view in detail.open_questions:
        question = as_question(view)
        for name, answer in given.items():
            if not unknown_names([question], {name: answer}):
                try:
                    normalise(question, answer)
                except Invalid as error:
                    yield error.message


def as_question(view: QuestionView) -> Question:
    """The question in the form that the rules for answers take."""
    return Question(
        id=view.id,
        text=view.text,
        why=view.why,
        answer_type=AnswerType(view.answer_type),
        default=view.default,
        choices=view.choices,
        required=view.required,
    )


def _acceptance_prompt(step: StepView) -> str:
    read = (
        "" if step.document_id is None else f" Read it in another terminal: combine docs show {short(step.document_id)}"
    )
    return f"{step.output} is waiting for acceptance.{read}"


async def _choose(title: str, options: tuple[str, ...]) -> str:
    """One of ``options``, by number or prefix; the last one at the end of input."""
    say(title)
    for number, option in enumerate(options, 1):
        say(f"  {number}. {option}")
    while (given := await read_line("> ")) is not None:
        matching = [o for n, o in enumerate(options, 1) if given == str(n) or (given and o.startswith(given.lower()))]
        if len(matching) == 1:
            return matching[0]
        say(f"  Enter a number from 1 to {len(options)}.")
    return options[-1]


async def _ask_text(title: str) -> str:
    return await read_line(f"  {title}\n> ") or ""


async def read_line(prompt: str) -> str | None:
    """One line from the terminal, trimmed; None at the end of input (Ctrl-D). Cancelling leaves the terminal unchanged.

    Does not block the event loop: the terminal delivers a line when it is complete. A thread that calls ``input()``
    could not be interrupted.
    """
    sys.stderr.write(prompt)
    sys.stderr.flush()
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    descriptor = sys.stdin.fileno()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
        data = os.read(descriptor, _MAX_LINE_BYTES)
    except asyncio.CancelledError:
        sys.stderr.write("\n")
        raise
    finally:
        loop.remove_reader(descriptor)
    if not data:
        sys.stderr.write("\n")
        return None
    return "".join(char for char in data.decode("utf-8", "replace").strip() if char.isprintable())

"""``combine run`` and what people do to an execution that waits."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from combine.bootstrap import Working, check_models
from combine.cli.inputs import STDIN, prepare_folder, project_of, read_answers, read_brief
from combine.cli.runtime import is_terminal, prepare, say
from combine.cli.wording import OFFLINE_BANNER
from combine.cli.work import Begin, Manner, carry_on, or_follow
from combine.errors import Invalid
from combine.services.executions import StartExecution
from combine.workflows.statuses import DecisionAction


@dataclass(frozen=True, slots=True)
class Output:
    """What the commands that work have in common."""

    out: Path | None
    json: bool

    def manner(self, *, ask: bool = True, stdin_taken: bool = False) -> Manner:
        """How to talk to the person. Raises Invalid if the folder cannot be written to."""
        if self.out is not None:
            prepare_folder(self.out)
        return Manner(self.json, self.out, interactive=ask and not stdin_taken and is_terminal())


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What ``combine run`` was given."""

    brief: str
    workflow: str
    project: str | None
    answers: Path | None
    no_questions: bool
    model: str | None
    budget: Decimal | None


async def run(given: RunOptions, output: Output) -> int:
    """A brief to its documents; whatever is wrong with the input is said before the database is opened."""
    settings = prepare()
    brief = read_brief(given.brief)
    answers = read_answers(given.answers) if given.answers else {}
    model = given.model or settings.llm_default_model
    manner = output.manner(stdin_taken=given.brief == STDIN)
    check_models(settings, model, given.workflow, lambda warning: say(f"Warning: {warning}"))
    if model.strip().casefold() == "offline":
        say(OFFLINE_BANNER)
    start = StartExecution(
        brief=brief,
        workflow_id=given.workflow,
        project=project_of(given.brief) if given.project is None else given.project,
        model=model,
        ask=not given.no_questions,
        answers=answers,
        budget_usd=given.budget,
    )
    return await carry_on(settings, lambda working: working.executions.start(start), manner)


async def answer(execution: str, answers: Path | None, output: Output, *, no_questions: bool) -> int:
    """Settle open questions from a file, by "decide for me", or at the terminal."""
    settings = prepare()
    given = read_answers(answers) if answers else {}
    manner = output.manner()

    async def begin(working: Working) -> UUID:
        if given or no_questions:
            return await working.executions.answer(execution, given, decide_rest=no_questions)
        return (await working.inspection.detail(execution)).execution.id

    return await carry_on(settings, begin, manner)


async def accept(execution: str, step: str | None, output: Output) -> int:
    """Accept the document that waits."""
    return await carry_on(prepare(), lambda working: working.executions.accept(execution, step), output.manner())


async def reject(execution: str, reason: str, step: str | None, output: Output) -> int:
    """Send the document that waits back."""
    return await carry_on(
        prepare(), lambda working: working.executions.reject(execution, reason, step), output.manner()
    )


async def resume(
    execution: str, decision: DecisionAction | None, guidance: str | None, budget: Decimal | None, output: Output
) -> int:
    """Go on after a stop, or by a decision."""
    if guidance is not None and decision is not DecisionAction.TRY_AGAIN:
        raise Invalid("--guidance belongs to --decision try-again.", code="guidance_unexpected")
    begin: Begin
    if decision is not None:
        begin = lambda working: working.executions.decide(execution, decision, guidance)  # noqa: E731 - one of two
    else:
        begin = lambda working: or_follow(execution, working, working.executions.resume(execution, budget))  # noqa: E731
    return await carry_on(prepare(), begin, output.manner())

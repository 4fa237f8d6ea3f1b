"""``combine run`` and what people do to an execution that waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from combine.cli.conversation import as_question
from combine.cli.estimating import in_words
from combine.cli.inputs import STDIN, prepare_folder, project_of, read_answers, read_brief
from combine.cli.places import the_place
from combine.cli.ports import PLACES_OWN_MODEL, Working
from combine.cli.runtime import is_terminal, say
from combine.cli.wording import OFFLINE_BANNER
from combine.cli.work import Manner, carry_on, or_follow
from combine.documents.statuses import DecisionAction
from combine.errors import Invalid
from combine.execution.clarification import unknown_names
from combine.services.executions import StartExecution
from combine.services.names import project_name


@dataclass(frozen=True, slots=True)
class Output:
    """What the commands that work have in common."""

    out: Path | None
    json: bool

    def manner(self, *, stdin_taken: bool = False, given: Mapping[str, str] | None = None) -> Manner:
        """How to talk to the person. Raises Invalid if the folder cannot be written to."""
        if self.out is not None:
            prepare_folder(self.out)
        return Manner(self.json, self.out, not stdin_taken and is_terminal(), given or {})


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
    allow_unpriced: bool


async def run(given: RunOptions, output: Output) -> int:
    """A brief to its documents; whatever is wrong with the input is said before the database is opened."""
    place = the_place()
    brief = read_brief(given.brief)
    project = project_name(project_of(given.brief) if given.project is None else given.project)
    answers = read_answers(given.answers) if given.answers else {}
    manner = output.manner(stdin_taken=given.brief == STDIN, given=answers)
    model = place.check_models(given.model, given.workflow)
    _say_if_offline(model)
    start = StartExecution(
        brief=brief,
        workflow_id=given.workflow,
        project=project,
        model=model,
        ask=not given.no_questions,
        answers=answers,
        budget_usd=given.budget,
        allow_unpriced=given.allow_unpriced,
    )

    async def begin(working: Working) -> UUID:
        found = await working.estimates.estimate(brief, given.workflow, model)
        if model == PLACES_OWN_MODEL:
            _say_if_offline(found.model)
        say(in_words(found))
        return await working.executions.start(replace(start, model=found.model))

    return await carry_on(place, begin, manner)


def _say_if_offline(model: str) -> None:
    if model.strip().casefold() == "offline":
        say(OFFLINE_BANNER)


async def answer(execution: str, answers: Path | None, output: Output, *, no_questions: bool) -> int:
    """Settle open questions from a file, by "decide for me", or at the terminal."""
    place = the_place()
    given = read_answers(answers) if answers else {}
    manner = output.manner()

    async def begin(working: Working) -> UUID:
        detail = await working.inspection.detail(execution)
        if given:
            not_open = unknown_names([as_question(view) for view in detail.open_questions], given)
            if len(not_open) < len(given):  # else the service says what is open
                for name in not_open:
                    say(f"Not open at present, so not used: {name!r}.")
                    del given[name]
        if given or no_questions or not detail.open_questions:  # the last is refused, with what to do instead
            return await working.executions.answer(execution, given, decide_rest=no_questions)
        return detail.execution.id

    return await carry_on(place, begin, manner, execution=execution)


async def accept(execution: str, step: str | None, output: Output) -> int:
    """Accept the document that waits."""
    place = the_place()
    return await carry_on(
        place,
        lambda working: working.executions.accept(execution, step),
        output.manner(),
        execution=execution,
    )


async def reject(execution: str, reason: str, step: str | None, output: Output) -> int:
    """Send the document that waits back."""
    place = the_place()
    return await carry_on(
        place,
        lambda working: working.executions.reject(execution, reason, step),
        output.manner(),
        execution=execution,
    )


async def resume(
    execution: str,
    decision: DecisionAction | None,
    guidance: str | None,
    budget: Decimal | None,
    output: Output,
    *,
    allow_unpriced: bool,
) -> int:
    """Go on after a stop, or by a decision."""
    place = the_place()
    if guidance is not None and decision is not DecisionAction.TRY_AGAIN:
        raise Invalid("--guidance belongs to --decision try-again.", code="guidance_unexpected")
    if decision is not None and (budget is not None or allow_unpriced):
        name = "--allow-unpriced" if budget is None else "--budget"
        raise Invalid(f"{name} and --decision are two different ways to go on.", code="budget_unexpected")

    async def begin(working: Working) -> UUID:
        if decision is not None:
            return await working.executions.decide(execution, decision, guidance)
        return await or_follow(
            execution, working, working.executions.resume(execution, budget, allow_unpriced=allow_unpriced)
        )

    return await carry_on(place, begin, output.manner(), execution=execution)

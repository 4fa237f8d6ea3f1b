"""``combine run``, and the commands that continue an execution: ``answer``, ``accept``, ``reject`` and ``resume``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from combine.cli.backend import choose_backend
from combine.cli.conversation import as_question
from combine.cli.costs import estimate_text
from combine.cli.formatting import OFFLINE_BANNER, count, short
from combine.cli.inputs import STDIN, project_of, read_answers, read_brief
from combine.cli.ports import SERVER_DEFAULT_MODEL, WorkServices
from combine.cli.runtime import say
from combine.cli.work import Presentation, carry_on, or_follow
from combine.documents.statuses import DecisionAction
from combine.errors import Invalid
from combine.execution.clarification import unknown_names
from combine.services.commands import ForkExecution, StartExecution
from combine.services.names import project_name


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The arguments of ``combine run``."""

    brief: str
    workflow: str
    project: str | None
    answers: Path | None
    no_questions: bool
    model: str | None
    budget: Decimal | None
    allow_unpriced: bool


async def run(options: RunOptions, presentation: Presentation) -> int:
    """Run a brief. Invalid input is reported before the database is opened."""
    backend = choose_backend()
    brief = read_brief(options.brief)
    project = project_name(project_of(options.brief) if options.project is None else options.project)
    answers = read_answers(options.answers) if options.answers else {}
    presentation = presentation.prepared(stdin_taken=options.brief == STDIN, given=answers)
    model = backend.check_models(options.model, options.workflow)
    _say_if_offline(model)
    start = StartExecution(
        brief=brief,
        workflow_id=options.workflow,
        project=project,
        model=model,
        ask=not options.no_questions,
        answers=answers,
        budget_usd=options.budget,
        allow_unpriced=options.allow_unpriced,
    )

    async def begin(services: WorkServices) -> UUID:
        estimate = await services.estimates.estimate(brief, options.workflow, model)
        if model == SERVER_DEFAULT_MODEL:
            _say_if_offline(estimate.model)
        say(estimate_text(estimate))
        execution_id = await services.executions.start(replace(start, model=estimate.model))
        # Before anything is waited for: whoever loses this process continues with the ID instead of paying again.
        say(f"Started execution {short(execution_id)} in project {project!r}.")
        return execution_id

    return await carry_on(backend, begin, presentation)


def _say_if_offline(model: str) -> None:
    if model.strip().casefold() == "offline":
        say(OFFLINE_BANNER)


async def answer(execution: str, answers: Path | None, presentation: Presentation, *, no_questions: bool) -> int:
    """Answer open questions from a file, with their defaults, or at the terminal."""
    backend = choose_backend()
    given = read_answers(answers) if answers else {}
    presentation = presentation.prepared()

    async def begin(services: WorkServices) -> UUID:
        detail = await services.inspection.detail(execution)
        if given:
            not_open = unknown_names([as_question(view) for view in detail.open_questions], given)
            if len(not_open) < len(given):  # else the service answers with the questions that are open
                for name in not_open:
                    say(f"Ignored the answer to {name!r}: no such open question.")
                    del given[name]
        if given or no_questions or not detail.open_questions:  # in the last case the service suggests what to do
            return await services.executions.answer(execution, given, decide_rest=no_questions)
        return detail.execution.id

    return await carry_on(backend, begin, presentation, execution=execution)


async def accept(execution: str, step: str | None, presentation: Presentation) -> int:
    """Accept a document that is waiting for acceptance."""
    return await carry_on(
        choose_backend(),
        lambda services: services.executions.accept(execution, step),
        presentation.prepared(),
        execution=execution,
    )


async def reject(execution: str, reason: str, step: str | None, presentation: Presentation) -> int:
    """Reject a document that is waiting for acceptance."""
    return await carry_on(
        choose_backend(),
        lambda services: services.executions.reject(execution, reason, step),
        presentation.prepared(),
        execution=execution,
    )


async def resume(
    execution: str,
    decision: DecisionAction | None,
    guidance: str | None,
    budget: Decimal | None,
    presentation: Presentation,
    *,
    allow_unpriced: bool,
) -> int:
    """Continue after a stop, or with a decision at a QA limit."""
    backend = choose_backend()
    if guidance is not None and decision is not DecisionAction.TRY_AGAIN:
        raise Invalid("--guidance requires --decision try-again.", code="guidance_unexpected")
    if decision is not None and (budget is not None or allow_unpriced):
        name = "--allow-unpriced" if budget is None else "--budget"
        raise Invalid(f"{name} and --decision cannot be used together.", code="budget_unexpected")

    async def begin(services: WorkServices) -> UUID:
        if decision is not None:
            return await services.executions.decide(execution, decision, guidance)
        return await or_follow(
            execution, services, services.executions.resume(execution, budget, allow_unpriced=allow_unpriced)
        )

    return await carry_on(backend, begin, presentation.prepared(), execution=execution)


async def fork(
    execution: str,
    from_step: str | None,
    model: str | None,
    budget: Decimal | None,
    presentation: Presentation,
    *,
    excluded: Sequence[str],
    allow_unpriced: bool,
) -> int:
    """``combine resume --from``: start a new execution that reuses what does not depend on a step.

    ``excluded``: options that were given and cannot be combined with --from.
    """
    if from_step is None:
        raise Invalid(
            "--model requires --from: an execution cannot change its model.",
            code="model_without_fork",
            hint=f"To use another model from a step on: combine resume {execution} --from STEP --model ...",
        )
    if excluded:
        raise Invalid(f"--from and {excluded[0]} cannot be used together.", code="fork_unexpected")
    backend = choose_backend()
    command = ForkExecution(from_step, model, budget, allow_unpriced)

    async def begin(services: WorkServices) -> UUID:
        if model is not None:
            backend.check_model(model)  # report a missing key before anything is started
        fork_id = await services.executions.fork(execution, command)
        detail = await services.inspection.detail(str(fork_id))
        # A worker may already have added documents to it.
        reused = count(sum(one.execution_id != fork_id for one in detail.documents), "document")
        say(f"Started execution {short(fork_id)}, forked at {from_step}; reusing {reused}.")
        return fork_id

    return await carry_on(backend, begin, presentation.prepared())

"""The commands about executions: their arguments and options, nothing else.

What a command does is imported when it is called, so that `combine --help` loads no database driver and no SDK.
"""

from __future__ import annotations

from typing import Annotated

import typer

from combine.cli.options import (
    Answers,
    Budget,
    Decision,
    Execution,
    Json,
    NoQuestions,
    Out,
    Step,
)


def run(
    brief: Annotated[str, typer.Argument(metavar="BRIEF", help="A text or Markdown file in UTF-8, or - for stdin.")],
    *,
    workflow: Annotated[str, typer.Option("--workflow", metavar="ID", help="Workflow.")] = "strategy-document",
    project: Annotated[
        str | None,
        typer.Option(
            "--project",
            metavar="NAME",
            help="Project; if not given, the brief's file name without its ending (default for stdin).",
            show_default=False,
        ),
    ] = None,
    answers: Answers = None,
    no_questions: NoQuestions = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="PROVIDER:MODEL",
            help="Language model, or offline for none; if not given, COMBINE_LLM_DEFAULT_MODEL.",
            show_default=False,
        ),
    ] = None,
    budget: Budget = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Turn a brief into reviewed, sourced documents."""
    from combine.cli.run import Output, RunOptions, run
    from combine.cli.runtime import execute

    options = RunOptions(brief, workflow, project, answers, no_questions, model, budget)
    execute(run(options, Output(out, as_json)))


def answer(
    execution: Execution,
    *,
    answers: Answers = None,
    no_questions: NoQuestions = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Answer open questions, and go on."""
    from combine.cli.run import Output, answer
    from combine.cli.runtime import execute

    execute(answer(execution, answers, Output(out, as_json), no_questions=no_questions))


def accept(execution: Execution, *, step: Step = None, out: Out = None, as_json: Json = False) -> None:
    """Accept the document that waits, and go on."""
    from combine.cli.run import Output, accept
    from combine.cli.runtime import execute

    execute(accept(execution, step, Output(out, as_json)))


def reject(
    execution: Execution,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What is to be different.")],
    step: Step = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Send the document that waits back, with a reason."""
    from combine.cli.run import Output, reject
    from combine.cli.runtime import execute

    execute(reject(execution, reason, step, Output(out, as_json)))


def resume(
    execution: Execution,
    *,
    decision: Annotated[
        Decision | None,
        typer.Option("--decision", help="What to do where a QA limit is reached.", show_default=False),
    ] = None,
    guidance: Annotated[
        str | None,
        typer.Option("--guidance", metavar="TEXT", help="What try-again is to do differently.", show_default=False),
    ] = None,
    budget: Budget = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Go on with an execution that has stopped.

    What was finished is not done or paid again.
    """
    from combine.cli.run import Output, resume
    from combine.cli.runtime import execute
    from combine.workflows.statuses import DecisionAction

    action = None if decision is None else DecisionAction[decision.name]
    execute(resume(execution, action, guidance, budget, Output(out, as_json)))


def register(app: typer.Typer) -> None:
    """Make the commands known."""
    for command in (run, answer, accept, reject, resume):
        app.command()(command)

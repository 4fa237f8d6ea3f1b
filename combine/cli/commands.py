"""The top-level commands: only their arguments and options.

The code behind a command is imported when the command runs, so that `combine --help` loads no database driver and no
SDK.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from combine.cli.options import (
    AllowUnpriced,
    Answers,
    Budget,
    Decision,
    Execution,
    FileName,
    Json,
    NoQuestions,
    Out,
    Project,
    Step,
    TextCommand,
    day,
    usd_cost,
)
from combine.documents.statuses import ExecutionStatus as Status
from combine.documents.statuses import GroupBy


def run(
    brief: Annotated[
        str,
        typer.Argument(metavar="BRIEF", parser=FileName, help="Text or Markdown file in UTF-8, or - to read stdin."),
    ],
    *,
    workflow: Annotated[str, typer.Option("--workflow", metavar="ID", help="Workflow to run.")] = "strategy-document",
    project: Annotated[
        str | None,
        typer.Option(
            "--project",
            metavar="NAME",
            help="Project to use or create; defaults to the name of the brief file without its extension, or "
            '"default" for stdin.',
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
            help="Language model, or offline to use none; defaults to COMBINE_LLM_DEFAULT_MODEL.",
            show_default=False,
        ),
    ] = None,
    budget: Budget = None,
    allow_unpriced: AllowUnpriced = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="Show the estimated cost and exit.")] = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Turn a brief into reviewed, sourced documents."""
    from combine.cli.run import RunOptions, run
    from combine.cli.runtime import execute
    from combine.cli.work import Presentation

    if estimate:
        from combine.cli.costs import show_estimate

        execute(show_estimate(brief, workflow, model, json=as_json))
    options = RunOptions(brief, workflow, project, answers, no_questions, model, budget, allow_unpriced)
    execute(run(options, Presentation(as_json, out)))


def answer(
    execution: Execution,
    *,
    answers: Answers = None,
    no_questions: NoQuestions = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Answer open questions and continue the execution."""
    from combine.cli.run import answer
    from combine.cli.runtime import execute
    from combine.cli.work import Presentation

    execute(answer(execution, answers, Presentation(as_json, out), no_questions=no_questions))


def accept(execution: Execution, *, step: Step = None, out: Out = None, as_json: Json = False) -> None:
    """Accept a document that is waiting for acceptance."""
    from combine.cli.run import accept
    from combine.cli.runtime import execute
    from combine.cli.work import Presentation

    execute(accept(execution, step, Presentation(as_json, out)))


def reject(
    execution: Execution,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What should be changed.")],
    step: Step = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Reject a document that is waiting for acceptance."""
    from combine.cli.run import reject
    from combine.cli.runtime import execute
    from combine.cli.work import Presentation

    execute(reject(execution, reason, step, Presentation(as_json, out)))


def resume(
    execution: Execution,
    *,
    decision: Annotated[
        Decision | None,
        typer.Option("--decision", help="What to do at a QA limit.", show_default=False),
    ] = None,
    guidance: Annotated[
        str | None,
        typer.Option("--guidance", metavar="TEXT", help="Instructions for --decision try-again.", show_default=False),
    ] = None,
    from_step: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="STEP",
            help="Start a new execution that reuses what does not depend on STEP.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="PROVIDER:MODEL",
            help="Model of the new execution; requires --from.",
            show_default=False,
        ),
    ] = None,
    budget: Budget = None,
    allow_unpriced: AllowUnpriced = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Resume an execution that has stopped.

    Finished work is not repeated or charged again. With --from, a new execution with the same brief and answers
    reuses everything that does not depend on that step, and runs the step and all later ones again.
    """
    from combine.cli.run import fork, resume
    from combine.cli.runtime import execute
    from combine.cli.work import Presentation
    from combine.documents.statuses import DecisionAction

    action = None if decision is None else DecisionAction[decision.name]
    presentation = Presentation(as_json, out)
    if from_step is not None or model is not None:
        excluded = [name for name, value in (("--decision", decision), ("--guidance", guidance)) if value is not None]
        execute(
            fork(execution, from_step, model, budget, presentation, excluded=excluded, allow_unpriced=allow_unpriced)
        )
    execute(resume(execution, action, guidance, budget, presentation, allow_unpriced=allow_unpriced))


def cancel(execution: Execution, *, as_json: Json = False) -> None:
    """Cancel an execution permanently; finished documents are kept."""
    from combine.cli.executions import cancel
    from combine.cli.runtime import execute

    execute(cancel(execution, json=as_json))


def list_(
    *,
    project: Project = None,
    status: Annotated[Status | None, typer.Option("--status", help="Filter by status.", show_default=False)] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1000, help="Maximum number of executions.")
    ] = 50,
    as_json: Json = False,
) -> None:
    """List executions, newest first.

    COST (cost_usd in JSON) includes the amounts reserved for calls whose outcome is unknown and then starts with "at
    most"; spent_usd does not include them. cost_usd is null if the price of a call is unknown.
    """
    from combine.cli.executions import list_executions
    from combine.cli.runtime import execute

    execute(list_executions(project, status, limit, json=as_json))


def show(execution: Execution, *, as_json: Json = False) -> None:
    """Show the steps, questions, findings, calls and cost of an execution.

    cost_usd in JSON includes the amounts reserved for calls whose outcome is unknown; it is null if the price of a call
    is unknown.
    """
    from combine.cli.executions import show
    from combine.cli.runtime import execute

    execute(show(execution, json=as_json))


def watch(execution: Execution, *, as_json: Json = False) -> None:
    """Follow an execution live until it finishes or waits.

    With --json, prints one JSON object per event. The exit code reflects the final status.
    """
    from combine.cli.executions import watch
    from combine.cli.runtime import execute

    execute(watch(execution, json=as_json))


def record(
    execution: Execution,
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="File to write; compressed if the name ends in .gz.")
    ],
    as_json: Json = False,
) -> None:
    """Save an execution to a file that can be replayed.

    The file contains the brief, workflow, questions, prompts, replies, documents and events, but no keys or addresses.
    """
    from combine.cli.recordings import record
    from combine.cli.runtime import execute

    execute(record(execution, out, json=as_json))


def replay(
    source: Annotated[
        str, typer.Argument(metavar="ID|FILE", parser=FileName, help="Execution ID or prefix, or a recording file.")
    ],
    *,
    as_json: Json = False,
) -> None:
    """Rebuild all documents from the stored replies and compare.

    Calls no provider and writes nothing. Exits with 0 if every document is identical byte for byte, and with 1
    if not, showing the differences and their causes. Replaying a file needs no database.
    """
    from combine.cli.recordings import replay
    from combine.cli.runtime import execute

    execute(replay(source, json=as_json))


def costs(
    *,
    by: Annotated[GroupBy, typer.Option("--by", help="How to group the costs.")] = GroupBy.DAY,
    project: Project = None,
    since: Annotated[
        datetime | None,
        typer.Option("--since", parser=day, metavar="DATE", help="Start date, YYYY-MM-DD (UTC).", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show costs by day, model, workflow, step, project or execution.

    COST (cost_usd in JSON) is the cost of finished calls whose price is known. It does not include RESERVED
    (reserved_usd), which is for calls in flight, or AT MOST (outcome_unknown_usd), which is for calls whose outcome is
    unknown.
    """
    from combine.cli.costs import show_costs
    from combine.cli.runtime import execute

    execute(show_costs(by, project, since, json=as_json))


def settle(
    execution: Annotated[str, typer.Argument(metavar="EXECUTION", help="Execution ID or prefix.")],
    call: Annotated[str, typer.Argument(metavar="CALL", help="Call ID or prefix, as shown by combine show.")],
    *,
    amount: Annotated[
        Decimal,
        typer.Option("--usd", metavar="USD", parser=usd_cost, help="Amount billed by the provider; 0 if none."),
    ],
    as_json: Json = False,
) -> None:
    """Record the actual cost of a call whose outcome is unknown.

    The amount replaces the reserved worst case under every cap. It can be changed by settling again, and is replaced
    by the real cost if the reply still arrives. An execution waiting at a cap stays there until it is resumed.
    """
    from combine.cli.costs import settle
    from combine.cli.runtime import execute

    execute(settle(execution, call, amount, json=as_json))


def serve(
    *,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Address to listen on; defaults to COMBINE_HOST or 127.0.0.1.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="N",
            min=0,
            max=65_535,
            help="Port to listen on, 0 for any free port; defaults to COMBINE_PORT or 8765.",
            show_default=False,
        ),
    ] = None,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Do not start a worker.")] = False,
) -> None:
    """Start the HTTP API, the sign-in pages and a worker.

    Without a sign-in provider the server listens on this machine only and prints a sign-in link.
    """
    from combine.cli.runtime import execute
    from combine.cli.serve import serve

    execute(serve(host, port, worker=not no_worker))


def worker(*, stop_with_stdin: Annotated[bool, typer.Option("--stop-with-stdin", hidden=True)] = False) -> None:
    """Start a worker that runs executions from the shared queue."""
    from combine.cli.runtime import execute
    from combine.cli.worker import work

    execute(work(stop_with_stdin=stop_with_stdin))


def doctor(*, as_json: Json = False) -> None:
    """Check the database, providers and settings, or a server.

    Changes nothing and costs nothing. Exits with 1 if the database or server fails, 2 if the server rejects the token,
    and 6 if a configured provider fails.
    """
    from combine.cli.backend import run_doctor
    from combine.cli.runtime import execute

    execute(run_doctor(json=as_json))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    on_executions = (run, answer, accept, reject, resume, cancel, list_, show, watch, record, replay)
    for command in (*on_executions, costs, settle, serve, worker, doctor):
        app.command(command.__name__.rstrip("_"), cls=TextCommand)(command)

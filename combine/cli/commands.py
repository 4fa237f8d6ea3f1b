"""The commands about executions: their arguments and options, nothing else.

What a command does is imported when it is called, so that `combine --help` loads no database driver and no SDK.
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
    Grouping,
    Json,
    NoQuestions,
    Out,
    Project,
    Step,
    day,
    usd_cost,
)
from combine.cli.texts import FileName, TextCommand
from combine.documents.statuses import ExecutionStatus as Status


def run(
    brief: Annotated[
        str, typer.Argument(metavar="BRIEF", parser=FileName, help="A text or Markdown file in UTF-8, or - for stdin.")
    ],
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
    allow_unpriced: AllowUnpriced = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="Say what it may cost, and begin nothing.")] = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Turn a brief into reviewed, sourced documents."""
    from combine.cli.estimating import estimate_only
    from combine.cli.run import Output, RunOptions, run
    from combine.cli.runtime import execute

    if estimate:
        execute(estimate_only(brief, workflow, model, json=as_json))
    options = RunOptions(brief, workflow, project, answers, no_questions, model, budget, allow_unpriced)
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
    from_step: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="STEP",
            help="Start a new execution that takes over what stands before this step.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="PROVIDER:MODEL", help="Another model; only with --from.", show_default=False),
    ] = None,
    budget: Budget = None,
    allow_unpriced: AllowUnpriced = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Go on with an execution that has stopped.

    What was finished is not done or paid again. With --from a new execution of the same brief and answers takes over
    what that step does not change, and runs it and what follows anew.
    """
    from combine.cli.run import Output, resume
    from combine.cli.runtime import execute
    from combine.documents.statuses import DecisionAction

    action = None if decision is None else DecisionAction[decision.name]
    output = Output(out, as_json)
    if from_step is not None or model is not None:
        from combine.cli.forking import fork

        beside = [name for name, value in (("--decision", decision), ("--guidance", guidance)) if value is not None]
        execute(fork(execution, from_step, model, budget, output, beside=beside, allow_unpriced=allow_unpriced))
    execute(resume(execution, action, guidance, budget, output, allow_unpriced=allow_unpriced))


def cancel(execution: Execution, *, as_json: Json = False) -> None:
    """End an execution for good; what it has made stays."""
    from combine.cli.looking import cancel
    from combine.cli.runtime import execute

    execute(cancel(execution, json=as_json))


def list_(
    *,
    project: Project = None,
    status: Annotated[
        Status | None, typer.Option("--status", help="Only those in this status.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="How many.")] = 50,
    as_json: Json = False,
) -> None:
    """List executions, the newest first.

    COST, cost_usd in JSON, is what was paid, and what is reserved for calls of unknown outcome: then "at most" stands
    before it. spent_usd is without that; cost_usd is null if the price of any call is unknown.
    """
    from combine.cli.looking import list_executions
    from combine.cli.runtime import execute

    execute(list_executions(project, status, limit, json=as_json))


def show(execution: Execution, *, as_json: Json = False) -> None:
    """Show steps, questions, findings, calls and cost.

    cost_usd in JSON counts what is reserved for calls of unknown outcome, too; null if the price of any is unknown.
    """
    from combine.cli.looking import show
    from combine.cli.runtime import execute

    execute(show(execution, json=as_json))


def watch(execution: Execution, *, as_json: Json = False) -> None:
    """Follow an execution live, until it rests.

    With --json one line for each event. The exit code says where the execution stands then.
    """
    from combine.cli.looking import watch
    from combine.cli.runtime import execute

    execute(watch(execution, json=as_json))


def record(
    execution: Execution,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to; compressed if the name ends with .gz.")],
    as_json: Json = False,
) -> None:
    """Write an execution to a file that can be replayed.

    Brief, workflow, questions, prompts, replies, documents and events are in it; keys and addresses are not.
    """
    from combine.cli.replaying import record
    from combine.cli.runtime import execute

    execute(record(execution, out, json=as_json))


def replay(
    what: Annotated[str, typer.Argument(metavar="ID|FILE", parser=FileName, help="An execution's id, or a recording.")],
    *,
    as_json: Json = False,
) -> None:
    """Rebuild all documents from the stored replies.

    Asks no provider and writes nothing. Exit code 0 if every document is the same byte for byte, 1 if not; then it
    says where, and why. A file needs no database.
    """
    from combine.cli.replaying import replay
    from combine.cli.runtime import execute

    execute(replay(what, json=as_json))


def costs(
    *,
    by: Annotated[Grouping, typer.Option("--by", help="What to add up.")] = Grouping.DAY,
    project: Project = None,
    since: Annotated[
        datetime | None,
        typer.Option("--since", parser=day, metavar="DATE", help="From this day (UTC).", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what was spent, on what.

    COST, cost_usd in JSON, is what was paid for calls whose price is known, and nothing else. RESERVED, for calls in
    flight, and AT MOST, for calls of unknown outcome, are not in it: reserved_usd and outcome_unknown_usd in JSON.
    """
    from combine.cli.looking import costs
    from combine.cli.runtime import execute
    from combine.services.costs import GroupBy

    execute(costs(GroupBy(by.value), project, since, json=as_json))


def settle(
    execution: Annotated[str, typer.Argument(metavar="EXECUTION", help="The execution's id, or its beginning.")],
    call: Annotated[str, typer.Argument(metavar="CALL", help="The call's id, or its beginning; see combine show.")],
    *,
    amount: Annotated[
        Decimal,
        typer.Option("--usd", metavar="USD", parser=usd_cost, help="What the provider has billed; 0 if nothing."),
    ],
    as_json: Json = False,
) -> None:
    """Say what a call of unknown outcome has cost.

    Under every cap that counts from now on, and no longer the worst case. The last word counts; a reply that comes
    after all counts instead. An execution that waits at a cap stays there until it is resumed.
    """
    from combine.cli.runtime import execute
    from combine.cli.settling import settle

    execute(settle(execution, call, amount, json=as_json))


def serve(
    *,
    host: Annotated[
        str | None,
        typer.Option(
            "--host", metavar="ADDRESS", help="Listen there; this machine alone if not given.", show_default=False
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="N", min=0, max=65_535, help="8765 if not given; 0: any free one.", show_default=False
        ),
    ] = None,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Only serve; executions wait for a worker.")] = False,
) -> None:
    """Serve the API and the pages, and work on executions beside.

    Listens on this machine alone unless a sign-in provider is set up; then the link to sign in is printed.
    """
    from combine.cli.runtime import execute
    from combine.cli.serve import serve

    execute(serve(host, port, worker=not no_worker))


def worker(*, stop_with_stdin: Annotated[bool, typer.Option("--stop-with-stdin", hidden=True)] = False) -> None:
    """Work on executions from the shared queue."""
    from combine.cli.runtime import execute
    from combine.cli.worker import work

    execute(work(stop_with_stdin=stop_with_stdin))


def doctor(*, as_json: Json = False) -> None:
    """Check database, providers and settings; or a server.

    Starts nothing and spends nothing. Exit code 1 if the database or the server fails, 2 if the server does not know
    your token, 6 if a provider that is set up fails.
    """
    from combine.cli.places import check_up
    from combine.cli.runtime import execute

    execute(check_up(json=as_json))


def register(app: typer.Typer) -> None:
    """Make the commands known."""
    for command in (run, answer, accept, reject, resume, cancel, list_, show, watch, record, replay):
        app.command(command.__name__.rstrip("_"), cls=TextCommand)(command)


def register_rest(app: typer.Typer) -> None:
    """Make those known that stand behind the groups in the help."""
    for command in (costs, settle, serve, worker, doctor):
        app.command(cls=TextCommand)(command)

"""The command groups ``docs``, ``projects``, ``workflows``, ``tokens`` and ``db``: only their arguments and options.

As in ``commands.py``, the code behind a command is imported when the command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from combine.auth.permissions import Scope
from combine.cli.options import ExportFormat, Json, Out, Project, TextCommand, usd_amount
from combine.documents.statuses import DocumentStatus

_MAX_VERSION = 2**31 - 1  # the largest version that the database can store
_Type = Annotated[str, typer.Argument(metavar="TYPE", help="Document type, for example requirements-doc.")]
_Version = Annotated[
    int | None,
    typer.Option(
        "--version",
        metavar="N",
        min=1,
        max=_MAX_VERSION,
        help="Version; defaults to the current one.",
        show_default=False,
    ),
]
_ProjectOfType = Annotated[
    str | None,
    typer.Option(
        "--project",
        metavar="NAME",
        help="Project; required if several projects have this document.",
        show_default=False,
    ),
]


def docs_list(
    *,
    project: Project = None,
    type_: Annotated[
        str | None,
        typer.Option(
            "--type", metavar="TYPE", help="Filter by document type; brief lists the briefs.", show_default=False
        ),
    ] = None,
    status: Annotated[
        DocumentStatus | None, typer.Option("--status", help="Filter by status.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """List documents and versions, newest first."""
    from combine.cli.docs import list_documents
    from combine.cli.runtime import execute

    execute(list_documents(project, type_, status, json=as_json))


def docs_show(
    document: Annotated[str, typer.Argument(metavar="TYPE|ID", help="Document type, or document ID or prefix.")],
    *,
    project: _ProjectOfType = None,
    version: _Version = None,
    as_json: Json = False,
) -> None:
    """Show a document.

    Prints formatted text to a terminal, Markdown to a pipe, and JSON with all metadata with --json.
    """
    from combine.cli.docs import show
    from combine.cli.runtime import execute

    execute(show(document, project, version, json=as_json))


def docs_diff(
    document_type: _Type,
    *,
    project: _ProjectOfType = None,
    old: Annotated[
        int | None,
        typer.Option(
            "--from",
            metavar="N",
            min=1,
            max=_MAX_VERSION,
            help="Old version; defaults to the one before the new version.",
            show_default=False,
        ),
    ] = None,
    new: Annotated[
        int | None,
        typer.Option(
            "--to",
            metavar="N",
            min=1,
            max=_MAX_VERSION,
            help="New version; defaults to the newest one.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the changes between two versions of a document."""
    from combine.cli.docs import diff
    from combine.cli.runtime import execute

    execute(diff(document_type, project, old, new, json=as_json))


def docs_export(
    document: Annotated[
        str | None,
        typer.Argument(
            metavar="[TYPE|ID]",
            help="Document to export; defaults to all current documents of the project.",
            show_default=False,
        ),
    ] = None,
    *,
    project: _ProjectOfType = None,
    version: _Version = None,
    form: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="File format; defaults to both with --out, otherwise to md.", show_default=False),
    ] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Write documents to files, or a single document to stdout."""
    from combine.cli.docs import export
    from combine.cli.runtime import execute

    execute(export(document, project, version, form, out, json=as_json))


def workflows_list(*, as_json: Json = False) -> None:
    """List the available workflows."""
    from combine.cli.runtime import execute
    from combine.cli.workflows import list_workflows

    execute(list_workflows(json=as_json))


def workflows_show(
    workflow: Annotated[str, typer.Argument(metavar="ID", help="Workflow ID.")] = "strategy-document",
    *,
    as_json: Json = False,
) -> None:
    """Show a workflow as a graph."""
    from combine.cli.runtime import execute
    from combine.cli.workflows import show

    execute(show(workflow, json=as_json))


def workflows_validate(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE|DIR]",
            help="Workflow definition, or a directory of workflows; defaults to COMBINE_WORKFLOWS_DIR.",
            show_default=False,
        ),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Check a workflow definition or directory for errors.

    Reports each error with its file, path, message and code, and exits with 2 if there are any.
    """
    from combine.cli.workflows import validate

    raise typer.Exit(validate(path, json=as_json))


def projects_list(*, as_json: Json = False) -> None:
    """List projects with their documents, executions, caps and costs."""
    from combine.cli.costs import list_projects
    from combine.cli.runtime import execute

    execute(list_projects(json=as_json))


def projects_budget(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Project name.")],
    usd: Annotated[
        str,
        typer.Argument(
            metavar="USD|none", help="Maximum total cost of all executions of the project, or none to remove the cap."
        ),
    ],
    *,
    as_json: Json = False,
) -> None:
    """Set or remove the cost cap of a project."""
    from combine.cli.costs import set_budget
    from combine.cli.runtime import execute

    amount = None if usd.strip().casefold() == "none" else usd_amount(usd)
    execute(set_budget(name, amount, json=as_json))


_User = Annotated[
    str | None,
    typer.Option(
        "--user",
        metavar="EMAIL|local",
        help="Owner of the token; only on the server's machine, without --server. Defaults to the user of local mode.",
        show_default=False,
    ),
]


def tokens_create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the token, for example what it is used for.")],
    *,
    scope: Annotated[
        Scope,
        typer.Option(
            "--scope",
            help="read: view only. run: also start, answer and decide. admin: everything else too.",
        ),
    ] = Scope.READ,
    days: Annotated[
        int, typer.Option("--days", metavar="N", min=1, max=365, help="Days until the token expires.")
    ] = 90,
    user: _User = None,
    as_json: Json = False,
) -> None:
    """Create an access token for a server.

    The token is printed once, on stdout. Set COMBINE_TOKEN to it on the machine where you use it.
    """
    from combine.cli.runtime import execute
    from combine.cli.tokens import create

    execute(create(name, scope, days, user, json=as_json))


def tokens_list(*, user: _User = None, as_json: Json = False) -> None:
    """List tokens, newest first, without their secrets."""
    from combine.cli.runtime import execute
    from combine.cli.tokens import list_tokens

    execute(list_tokens(user, json=as_json))


def tokens_revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="Token ID or prefix.")],
    *,
    user: _User = None,
    as_json: Json = False,
) -> None:
    """Revoke a token; it stops working immediately."""
    from combine.cli.runtime import execute
    from combine.cli.tokens import revoke

    execute(revoke(token, user, json=as_json))


def db_upgrade(*, as_json: Json = False) -> None:
    """Upgrade the database schema to this version."""
    from combine.cli.database import upgrade
    from combine.cli.runtime import execute

    execute(upgrade(json=as_json))


def db_stop(*, as_json: Json = False) -> None:
    """Stop the embedded database; no data is lost."""
    from combine.cli.database import stop
    from combine.cli.runtime import execute

    execute(stop(json=as_json))


def db_status(*, as_json: Json = False) -> None:
    """Show whether the database is running, without starting it."""
    from combine.cli.database import status
    from combine.cli.runtime import execute

    execute(status(json=as_json))


def register(app: typer.Typer) -> None:
    """Add the command groups."""
    groups = {
        ("docs", "List, read, compare and export documents."): (docs_list, docs_show, docs_diff, docs_export),
        ("projects", "List projects and set cost caps."): (projects_list, projects_budget),
        ("workflows", "List, show and validate workflows."): (workflows_list, workflows_show, workflows_validate),
        ("tokens", "Manage access tokens for a server."): (tokens_create, tokens_list, tokens_revoke),
        ("db", "Manage the database."): (db_upgrade, db_stop, db_status),
    }
    for (name, help_text), members in groups.items():
        group = typer.Typer(help=help_text, no_args_is_help=True, rich_markup_mode=None)
        for command in members:
            group.command(command.__name__.partition("_")[2], cls=TextCommand)(command)
        app.add_typer(group, name=name)

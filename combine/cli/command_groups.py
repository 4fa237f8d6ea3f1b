"""``combine docs``, ``workflows`` and ``db``: arguments and options, nothing else (see ``commands.py``)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from combine.cli.options import Form, Json, Out, Project, TokenScope, usd_amount
from combine.cli.texts import TextCommand
from combine.documents.statuses import DocumentStatus

_MOST = 2**31 - 1  # versions that the database can count
_Type = Annotated[str, typer.Argument(metavar="TYPE", help="A document type, for example requirements-doc.")]
_Version = Annotated[
    int | None,
    typer.Option(
        "--version", metavar="N", min=1, max=_MOST, help="Not the one that counts, but this one.", show_default=False
    ),
]
_ProjectOfType = Annotated[
    str | None,
    typer.Option(
        "--project", metavar="NAME", help="Project; needed if several have that document.", show_default=False
    ),
]


def docs_list(
    *,
    project: Project = None,
    type_: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="Only this type; brief shows briefs.", show_default=False),
    ] = None,
    status: Annotated[
        DocumentStatus | None, typer.Option("--status", help="Only those in this status.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """List documents and versions, the newest first."""
    from combine.cli.docs import list_documents
    from combine.cli.runtime import execute

    execute(list_documents(project, type_, status, json_=as_json))


def docs_show(
    document: Annotated[str, typer.Argument(metavar="TYPE|ID", help="A document type, or the beginning of an id.")],
    *,
    project: _ProjectOfType = None,
    version: _Version = None,
    as_json: Json = False,
) -> None:
    """Show one document.

    In a terminal it is set for reading, in a pipe it is Markdown; --json gives its content.
    """
    from combine.cli.docs import show
    from combine.cli.runtime import execute

    execute(show(document, project, version, json_=as_json))


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
            max=_MOST,
            help="Old version; if not given, the one before.",
            show_default=False,
        ),
    ] = None,
    new: Annotated[
        int | None,
        typer.Option(
            "--to", metavar="N", min=1, max=_MOST, help="New version; if not given, the newest.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what changed between two versions."""
    from combine.cli.docs import diff
    from combine.cli.runtime import execute

    execute(diff(document_type, project, old, new, json_=as_json))


def docs_export(
    document: Annotated[
        str | None,
        typer.Argument(
            metavar="[TYPE|ID]", help="One document; if not given, all that count in the project.", show_default=False
        ),
    ] = None,
    *,
    project: _ProjectOfType = None,
    version: _Version = None,
    form: Annotated[
        Form | None,
        typer.Option(
            "--format", help="Only this form; if not given, md on stdout, both in a folder.", show_default=False
        ),
    ] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Write documents as files, or one to stdout."""
    from combine.cli.docs import export
    from combine.cli.runtime import execute

    execute(export(document, project, version, None if form is None else form.value, out, json_=as_json))


def workflows_list(*, as_json: Json = False) -> None:
    """List the known workflows."""
    from combine.cli.runtime import execute
    from combine.cli.workflows import list_workflows

    execute(list_workflows(json=as_json))


def workflows_show(
    workflow: Annotated[str, typer.Argument(metavar="ID", help="A workflow's id.")] = "strategy-document",
    *,
    as_json: Json = False,
) -> None:
    """Draw the graph of a workflow."""
    from combine.cli.runtime import execute
    from combine.cli.workflows import show

    execute(show(workflow, json=as_json))


def workflows_validate(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE|DIR]",
            help="A definition, or a folder of yours; if not given, COMBINE_WORKFLOWS_DIR.",
            show_default=False,
        ),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Name every fault of a definition or folder.

    Each with its file, place, mend and code. Exit code 2 if there are any.
    """
    from combine.cli.workflows import validate

    raise typer.Exit(validate(path, json=as_json))


def projects_list(*, as_json: Json = False) -> None:
    """List projects: what is in them, cap, spent, reserved."""
    from combine.cli.projects import list_projects
    from combine.cli.runtime import execute

    execute(list_projects(json=as_json))


def projects_budget(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The project.")],
    usd: Annotated[str, typer.Argument(metavar="USD|none", help="What all its executions together may cost.")],
    *,
    as_json: Json = False,
) -> None:
    """Set a project's cap, or take it away."""
    from combine.cli.projects import set_budget
    from combine.cli.runtime import execute

    amount = None if usd.strip().casefold() == "none" else usd_amount(usd)
    execute(set_budget(name, amount, json=as_json))


_User = Annotated[
    str | None,
    typer.Option(
        "--user",
        metavar="EMAIL|local",
        help="Whose; only on the server's machine, without --server. If not given, the one user of local mode.",
        show_default=False,
    ),
]


def tokens_create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    *,
    scope: Annotated[
        TokenScope, typer.Option("--scope", help="read: look. run: and start, answer, decide. admin: and all else.")
    ] = TokenScope.READ,
    days: Annotated[int, typer.Option("--days", metavar="N", min=1, max=365, help="How long it is good.")] = 90,
    user: _User = None,
    as_json: Json = False,
) -> None:
    """Make a token for work at a server.

    It is printed once, alone on stdout. Set COMBINE_TOKEN to it where you work.
    """
    from combine.auth.permissions import Scope
    from combine.cli.runtime import execute
    from combine.cli.tokens import create

    execute(create(name, Scope(scope.value), days, user, json=as_json))


def tokens_list(*, user: _User = None, as_json: Json = False) -> None:
    """List tokens, the newest first, without their secrets."""
    from combine.cli.runtime import execute
    from combine.cli.tokens import list_tokens

    execute(list_tokens(user, json=as_json))


def tokens_revoke(
    token: Annotated[str, typer.Argument(metavar="ID", help="The token's id, or its beginning.")],
    *,
    user: _User = None,
    as_json: Json = False,
) -> None:
    """Make a token worthless, from the next request on."""
    from combine.cli.runtime import execute
    from combine.cli.tokens import revoke

    execute(revoke(token, user, json=as_json))


def db_upgrade(*, as_json: Json = False) -> None:
    """Bring the database to this version's schema."""
    from combine.cli.database import upgrade
    from combine.cli.runtime import execute

    execute(upgrade(json=as_json))


def db_stop(*, as_json: Json = False) -> None:
    """Stop the embedded database; nothing is lost."""
    from combine.cli.database import stop
    from combine.cli.runtime import execute

    execute(stop(json=as_json))


def db_status(*, as_json: Json = False) -> None:
    """Say whether the database is up; starts nothing."""
    from combine.cli.database import status
    from combine.cli.runtime import execute

    execute(status(json=as_json))


def register(app: typer.Typer) -> None:
    """Make the groups known."""
    groups = {
        ("docs", "Read, compare and export documents."): (docs_list, docs_show, docs_diff, docs_export),
        ("projects", "Look at projects and cap what they may cost."): (projects_list, projects_budget),
        ("workflows", "Look at workflows and check them."): (workflows_list, workflows_show, workflows_validate),
        ("tokens", "Tokens for work at a server."): (tokens_create, tokens_list, tokens_revoke),
        ("db", "The database."): (db_upgrade, db_stop, db_status),
    }
    for (name, words), members in groups.items():
        group = typer.Typer(help=words, no_args_is_help=True, rich_markup_mode=None)
        for command in members:
            group.command(command.__name__.partition("_")[2], cls=TextCommand)(command)
        app.add_typer(group, name=name)

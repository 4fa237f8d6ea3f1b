"""What stands in paths and queries."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

ExecutionId = Annotated[
    str,
    Path(
        pattern="^([0-9A-Fa-f]-?){4,32}$",
        description="An execution's id, or its beginning: at least four digits.",
        examples=["3afba815"],
    ),
]
CallId = Annotated[
    str,
    Path(
        pattern="^([0-9A-Fa-f]-?){4,32}$",
        description="A call's id, or its beginning: at least four digits.",
        examples=["5d0c17e2"],
    ),
]
DocumentId = Annotated[
    str,
    Path(
        pattern="^[A-Za-z0-9][A-Za-z0-9-]{3,79}$",
        description="A document version's id, or its beginning; or a document type: then the version that counts.",
        examples=["requirements-doc"],
    ),
]
ProjectAsked = Annotated[
    str | None,
    Query(min_length=1, max_length=120, description="Only of this project: its id or its name."),
]
ProjectOfType = Annotated[
    str | None,
    Query(min_length=1, max_length=120, description="Where a type is named: in this project, by its id or its name."),
]


def project_named(text: str | None) -> str | UUID | None:
    """An id if it is one, else a name."""
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        return text

"""What stands in paths and queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final
from uuid import UUID

from fastapi import Path, Query

EXECUTION_ID: Final = "^([0-9A-Fa-f]-?){4,32}$"
DOCUMENT_ID: Final = "^[A-Za-z0-9][A-Za-z0-9-]{3,79}$"
IDENTITY_ID: Final = "^[A-Za-z0-9_-]{4,100}$"
IDEMPOTENCY_KEY: Final = "^[!-~]+$"
PATTERNS: Final[Mapping[str, str]] = {
    EXECUTION_ID: "an id is wanted, or its beginning: at least four hexadecimal digits",
    DOCUMENT_ID: "a document's id is wanted, or its beginning of at least four characters; or a document type",
    IDENTITY_ID: "the id of a way to sign in is wanted, as `/api/v1/me` names it",
    IDEMPOTENCY_KEY: "a key is made of visible ASCII characters, without spaces",
}
"""What each of them means, for whoever has sent something else."""

ExecutionId = Annotated[
    str,
    Path(
        pattern=EXECUTION_ID,
        description="An execution's id, or its beginning: at least four digits.",
        examples=["3afba815"],
    ),
]
CallId = Annotated[
    str,
    Path(
        pattern=EXECUTION_ID,
        description="A call's id, or its beginning: at least four digits.",
        examples=["5d0c17e2"],
    ),
]
DocumentId = Annotated[
    str,
    Path(
        pattern=DOCUMENT_ID,
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

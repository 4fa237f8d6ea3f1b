"""From result rows to frozen dataclasses whose fields are named like the columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    D = TypeVar("D", bound=DataclassInstance)


def columns(table: sa.Table, kind: type[DataclassInstance]) -> tuple[sa.Column[Any], ...]:
    """The columns of ``table`` that ``kind`` has fields for."""
    return tuple(table.c[field.name] for field in fields(kind))


def build(kind: type[D], row: sa.Row[Any]) -> D:
    """One row as one ``kind``."""
    return kind(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


def build_all(kind: type[D], rows: Iterable[sa.Row[Any]]) -> tuple[D, ...]:
    """All rows, in their order."""
    return tuple(build(kind, row) for row in rows)

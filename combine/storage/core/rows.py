"""Converts result rows to records, whose fields are named like the columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from pydantic import TypeAdapter

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    D = TypeVar("D", bound=DataclassInstance)


def columns(table: sa.Table, kind: type[DataclassInstance]) -> tuple[sa.Column[Any], ...]:
    """The columns of ``table`` that ``kind`` has fields for."""
    return tuple(table.c[field.name] for field in fields(kind) if field.name in table.c)


@lru_cache(maxsize=64)
def reader(kind: type[Any]) -> TypeAdapter[Any]:
    """The adapter that builds a record from JSON or a row: text to enums, lists to tuples, JSON to parsed values."""
    return TypeAdapter(kind)


def build(kind: type[D], row: sa.Row[Any]) -> D:
    """One row as one ``kind``."""
    built: D = reader(kind).validate_python(dict(row._mapping))  # noqa: SLF001 - SQLAlchemy's public name for it
    return built


def build_all(kind: type[D], rows: Iterable[sa.Row[Any]]) -> tuple[D, ...]:
    """All rows, in order."""
    return tuple(build(kind, row) for row in rows)

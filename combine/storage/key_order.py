"""Documents of programs that did not store the order of keys: brought into the order of their schema."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from combine.documents.schema_walk import in_schema_order
from combine.records import Document, ExecutionSnapshot
from combine.workflows.catalog import Catalog


def in_order(document: Document, catalog: Catalog) -> Document:
    """The document with its keys in order; by name if the catalog does not know its type."""
    if document.ordered:
        return document
    schema = catalog.schema(document.type).schema if document.type in catalog.document_types() else {}
    return replace(document, content=in_schema_order(document.content, schema), ordered=True)


def snapshot_in_order(snapshot: ExecutionSnapshot, catalog: Catalog) -> ExecutionSnapshot:
    """The same for all documents of an execution and those it follows."""

    def ordered(documents: Iterable[Document]) -> tuple[Document, ...]:
        return tuple(in_order(document, catalog) for document in documents)

    return replace(snapshot, documents=ordered(snapshot.documents), previous=ordered(snapshot.previous))

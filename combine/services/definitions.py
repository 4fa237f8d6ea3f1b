"""Workflows: their definitions, and the schemas of their documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from combine.errors import NotFound
from combine.services.views import view
from combine.workflows.catalog import Catalog
from combine.workflows.definitions import definition_to_json


@dataclass(frozen=True, slots=True)
class WorkflowView:
    """One workflow."""

    workflow_id: str
    name: str
    version: str
    description: str
    steps: tuple[str, ...]
    """Step IDs, as written in the definition."""
    documents: tuple[str, ...]
    """The document types its steps produce."""
    source: str
    """``built in``, or the name of its file in the user's workflow folder, without the path."""


@dataclass(frozen=True, slots=True)
class WorkflowDetail:
    """One workflow with its definition."""

    workflow: WorkflowView
    definition: Mapping[str, Any]
    """As ``docs/reference/workflow-definition.md`` describes it."""


class WorkflowService:
    """Reads the catalog; every signed-in user may see all of it."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def list(self) -> tuple[WorkflowView, ...]:
        """All known workflows by id."""
        return tuple(self._view(workflow_id) for workflow_id in sorted(self._catalog.workflow_ids()))

    def get(self, workflow_id: str) -> WorkflowDetail:
        """One workflow. Raises NotFound."""
        definition = definition_to_json(self._catalog.workflow(workflow_id))
        return WorkflowDetail(self._view(workflow_id), definition)

    def schema(self, workflow_id: str, document_type: str) -> Mapping[str, Any]:
        """The JSON Schema that documents of a type are validated against. Raises NotFound."""
        made = self._view(workflow_id).documents
        if document_type not in made:
            raise NotFound(
                f"Workflow {workflow_id} does not produce {document_type!r}.",
                code="document_type_not_found",
                hint=f"It produces {', '.join(made)}.",
            )
        return self._catalog.schema(document_type).schema

    def _view(self, workflow_id: str) -> WorkflowView:
        workflow = self._catalog.workflow(workflow_id)
        return view(
            WorkflowView,
            workflow,
            steps=tuple(step.step_id for step in workflow.steps),
            documents=tuple(step.output for step in workflow.steps),
            source=PurePath(self._catalog.source(workflow_id)).name,
        )

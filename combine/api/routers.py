"""Every router of the API. Each has its whole prefix itself."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from combine.api import costs, documents, executions, health, openapi, people, projects, workflows

ROUTERS: Final[tuple[APIRouter, ...]] = (
    health.router,
    openapi.router,
    projects.router,
    executions.router,
    documents.router,
    workflows.router,
    costs.router,
    people.router,
)

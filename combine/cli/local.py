"""The backend in this process: the services themselves, on a database that this process opens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from combine.auth.permissions import OPERATOR
from combine.bootstrap import (
    LocalReadServices,
    LocalWorkServices,
    check_models,
    open_reading,
    open_working,
    provider_factory,
)
from combine.cli.formatting import duration
from combine.cli.ports import Say
from combine.llm.factory import parse_model
from combine.services.definitions import WorkflowDetail, WorkflowService
from combine.services.tokens import TokenService
from combine.settings import Settings
from combine.workflows.catalog import load_catalog


@dataclass(frozen=True, slots=True)
class LocalBackend:
    """Runs commands in this process."""

    settings: Settings
    say: Say

    def reading(self) -> AbstractAsyncContextManager[LocalReadServices]:
        return open_reading(self.settings, self.say)

    def working(self, *, start: bool = True) -> AbstractAsyncContextManager[LocalWorkServices]:
        return open_working(self.settings, self.say, start=start)

    @asynccontextmanager
    async def tokens(self) -> AsyncIterator[TokenService]:
        """The tokens of all users."""
        async with open_reading(self.settings, self.say) as opened:
            yield TokenService(opened.database, actor=OPERATOR)

    @asynccontextmanager
    async def workflows(self) -> AsyncIterator[LocalWorkflows]:
        yield LocalWorkflows(WorkflowService(load_catalog(self.settings.workflows_dir)))

    def model_for(self, model: str | None) -> str:
        named = model or self.settings.llm_default_model
        _, warning = parse_model(named)
        if warning is not None:
            self._warn(warning)
        return named

    def check_models(self, model: str | None, workflow_id: str) -> str:
        """Also raises NotFound for an unknown workflow."""
        named = model or self.settings.llm_default_model
        check_models(self.settings, named, workflow_id, self._warn)
        return named

    def check_model(self, model: str) -> None:
        ref, warning = parse_model(model)
        if warning is not None:
            self._warn(warning)
        provider_factory(self.settings).provider(ref)

    def stopping(self) -> str:
        grace = duration(self.settings.drain_grace.total_seconds())
        return f"Stopping. Waiting up to {grace} for the current call to finish; press Ctrl-C again to stop now."

    def stopped(self, execution: str | None) -> str:
        if execution is None:
            return "Stopped before anything was started."
        return f"Stopped. Finished work is saved. Continue with: combine resume {execution}"

    def _warn(self, warning: str) -> None:
        self.say(f"Warning: {warning}")


@dataclass(frozen=True, slots=True)
class LocalWorkflows:
    """The workflow catalog of this installation."""

    service: WorkflowService

    async def list(self) -> tuple[WorkflowDetail, ...]:
        return tuple(self.service.get(one.workflow_id) for one in self.service.list())

    async def get(self, workflow_id: str) -> WorkflowDetail:
        return self.service.get(workflow_id)

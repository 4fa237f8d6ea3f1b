"""Commands on a database that this process opens: the services themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from combine.auth.permissions import OPERATOR
from combine.bootstrap import Reading, Report, Working, check_models, open_reading, open_working, provider_factory
from combine.cli.wording import duration
from combine.llm.factory import parse_model
from combine.services.definitions import WorkflowDetail, WorkflowService
from combine.services.tokens import TokenService
from combine.settings import Settings
from combine.workflows.catalog import load_catalog


@dataclass(frozen=True, slots=True)
class Here:
    """Whatever is done is done by the process that runs the command."""

    settings: Settings
    say: Report

    def reading(self) -> AbstractAsyncContextManager[Reading]:
        """See the port."""
        return open_reading(self.settings, self.say)

    def working(self, *, start: bool = True) -> AbstractAsyncContextManager[Working]:
        """See the port."""
        return open_working(self.settings, self.say, start=start)

    @asynccontextmanager
    async def tokens(self) -> AsyncIterator[TokenService]:
        """See the port; of anybody."""
        async with open_reading(self.settings, self.say) as reading:
            yield TokenService(reading.database, actor=OPERATOR)

    @asynccontextmanager
    async def workflows(self) -> AsyncIterator[LocalWorkflows]:
        """See the port."""
        yield LocalWorkflows(WorkflowService(load_catalog(self.settings.workflows_dir)))

    def model_for(self, model: str | None) -> str:
        """See the port."""
        named = model or self.settings.llm_default_model
        _, warning = parse_model(named)
        if warning is not None:
            self._warn(warning)
        return named

    def check_models(self, model: str | None, workflow_id: str) -> str:
        """See the port. Also raises NotFound for an unknown workflow."""
        named = model or self.settings.llm_default_model
        check_models(self.settings, named, workflow_id, self._warn)
        return named

    def check_model(self, model: str) -> None:
        """See the port."""
        ref, warning = parse_model(model)
        if warning is not None:
            self._warn(warning)
        provider_factory(self.settings).provider(ref)

    def stopping(self) -> str:
        """See the port."""
        grace = duration(self.settings.drain_grace.total_seconds())
        return f"Stopping. A call in flight has {grace} to end; Ctrl-C again stops at once."

    def stopped(self, execution: str | None) -> str:
        """See the port."""
        if execution is None:
            return "Stopped before anything was begun."
        return f"Stopped. Nothing that was finished is lost. Go on with: combine resume {execution}"

    def _warn(self, warning: str) -> None:
        self.say(f"Warning: {warning}")


@dataclass(frozen=True, slots=True)
class LocalWorkflows:
    """The catalog of this installation."""

    service: WorkflowService

    async def list(self) -> tuple[WorkflowDetail, ...]:
        """See the port."""
        return tuple(self.service.get(one.workflow_id) for one in self.service.list())

    async def get(self, workflow_id: str) -> WorkflowDetail:
        """See the port. Raises NotFound."""
        return self.service.get(workflow_id)

"""What the commands need, whether they open a database themselves or use a server. Types only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

if TYPE_CHECKING:  # most of these modules take longer to import than a command against a server takes to run
    from combine.auth.permissions import Scope
    from combine.brief.brief import Brief
    from combine.documents.statuses import DecisionAction, DocumentStatus, ExecutionStatus, GroupBy
    from combine.execution.replay import ReplayReport
    from combine.records import Event
    from combine.services.commands import ForkExecution, StartExecution
    from combine.services.definitions import WorkflowDetail
    from combine.services.people_views import NewTokenView, TokenView
    from combine.services.replay import RecordingFile
from combine.services.views import (
    CostReport,
    DocumentChanges,
    DocumentDetail,
    DocumentExport,
    DocumentView,
    EstimateView,
    ExecutionDetail,
    ExecutionView,
    ExecutorView,
    ProjectView,
)

SERVER_DEFAULT_MODEL: Final = ""
"""No model was named: the default of the server applies, and the estimate returns its name."""

Say = Callable[[str], None]
"""Shows a line to the user while a command runs."""


class Inspection(Protocol):
    """Reads executions."""

    async def list(
        self, project: str | None = None, status: ExecutionStatus | None = None, limit: int = 50
    ) -> tuple[ExecutionView, ...]:
        """Executions, newest first."""
        ...

    async def detail(self, execution: str) -> ExecutionDetail:
        """One execution, by the prefix of its id."""
        ...

    async def executors(self) -> Sequence[ExecutorView] | None:
        """The processes that run executions; None if they cannot be seen from here."""
        ...

    def follow(self, execution_id: UUID, after_seq: int = 0) -> AsyncIterator[Event]:
        """Each event exactly once and in order, until the execution finishes or waits."""
        ...


class Documents(Protocol):
    """Reads documents."""

    async def list(
        self, project: str | None = None, document_type: str | None = None, status: DocumentStatus | None = None
    ) -> tuple[DocumentView, ...]:
        """Versions of documents, newest first."""
        ...

    async def get(self, wanted: str, project: str | None = None, version: int | None = None) -> DocumentDetail:
        """One version, by its type or the prefix of its id."""
        ...

    async def diff(
        self, wanted: str, project: str | None = None, old: int | None = None, new: int | None = None
    ) -> DocumentChanges:
        """The changes between two versions."""
        ...

    async def export(self, wanted: str, project: str | None = None, version: int | None = None) -> DocumentExport:
        """One version as JSON and as Markdown."""
        ...


class Costs(Protocol):
    """Reads the ledger."""

    async def report(self, by: GroupBy, project: str | None = None, since: datetime | None = None) -> CostReport:
        """The calls and their costs, grouped."""
        ...


class Estimates(Protocol):
    """Estimates the cost of an execution."""

    async def estimate(self, brief: Brief, workflow_id: str, model: str) -> EstimateView:
        """A range. ``model`` may be SERVER_DEFAULT_MODEL if ``Backend.check_models`` returned it."""
        ...


class Projects(Protocol):
    """Lists projects and sets their caps."""

    async def list(self) -> tuple[ProjectView, ...]:
        """All projects, by name."""
        ...

    async def set_budget(self, project: str, budget_usd: Decimal | None) -> ProjectView:
        """Set the cap of a project, or remove it with None."""
        ...


class Replays(Protocol):
    """Records executions and replays them."""

    async def file(self, execution: str, *, compress: bool) -> RecordingFile:
        """An execution as a file."""
        ...

    async def replay(self, execution: str) -> ReplayReport:
        """Rebuild the documents from the stored replies and compare them."""
        ...


class Settling(Protocol):
    """Records what calls have actually cost."""

    async def settle(self, execution: str, call: str, usd: Decimal) -> UUID:
        """Set the cost of a call whose outcome is unknown. Returns the id of the execution."""
        ...


class Executions(Protocol):
    """Starts executions and acts on them; each method returns the id of the execution that continues."""

    async def start(self, command: StartExecution) -> UUID:
        """Start an execution; the project is created if it does not exist."""
        ...

    async def answer(self, execution: str, given: Mapping[str, str], *, decide_rest: bool = False) -> UUID:
        """Answer open questions."""
        ...

    async def accept(self, execution: str, step_id: str | None = None) -> UUID:
        """Accept a document that is waiting for acceptance."""
        ...

    async def reject(self, execution: str, reason: str, step_id: str | None = None) -> UUID:
        """Reject a document that is waiting for acceptance."""
        ...

    async def decide(self, execution: str, action: DecisionAction, guidance: str | None = None) -> UUID:
        """Decide how to continue at a QA limit."""
        ...

    async def cancel(self, execution: str) -> UUID:
        """Cancel an execution permanently."""
        ...

    async def resume(self, execution: str, budget_usd: Decimal | None = None, *, allow_unpriced: bool = False) -> UUID:
        """Continue an execution that has stopped."""
        ...

    async def fork(self, execution: str, command: ForkExecution) -> UUID:
        """Start a new execution that reuses what does not depend on a step."""
        ...


class Tokens(Protocol):
    """Personal access tokens. ``user``: the owner; only when the command opens the database itself."""

    async def create(
        self, name: str, scope: Scope, *, expires_in_days: int = 90, user: str | None = None
    ) -> NewTokenView:
        """Create a token; the result contains its secret."""
        ...

    async def list(self, *, limit: int = 50, user: str | None = None) -> tuple[TokenView, ...]:
        """Tokens, newest first."""
        ...

    async def revoke(self, token_id: UUID) -> TokenView:
        """Revoke a token."""
        ...


class Workflows(Protocol):
    """Reads the workflow catalog."""

    async def list(self) -> tuple[WorkflowDetail, ...]:
        """All workflows, by id."""
        ...

    async def get(self, workflow_id: str) -> WorkflowDetail:
        """One workflow."""
        ...


class ReadServices(Protocol):
    """Services for commands that do not continue an execution."""

    @property
    def inspection(self) -> Inspection:
        """Executions."""
        ...

    @property
    def documents(self) -> Documents:
        """Documents."""
        ...

    @property
    def costs(self) -> Costs:
        """The ledger."""
        ...

    @property
    def estimates(self) -> Estimates:
        """Cost estimates."""
        ...

    @property
    def projects(self) -> Projects:
        """Projects and their caps."""
        ...

    @property
    def replays(self) -> Replays:
        """Recordings and replays."""
        ...

    @property
    def settling(self) -> Settling:
        """Calls whose outcome is unknown."""
        ...


class WorkServices(ReadServices, Protocol):
    """Services for commands that start or continue an execution."""

    @property
    def executions(self) -> Executions:
        """Starting executions and acting on them."""
        ...


class Backend(Protocol):
    """What runs the commands: services in this process, or a server."""

    def reading(self) -> AbstractAsyncContextManager[ReadServices]:
        """Services to read with."""
        ...

    def working(self, *, start: bool = True) -> AbstractAsyncContextManager[WorkServices]:
        """Services to start or continue executions with. ``start=False``: only to cancel one."""
        ...

    def tokens(self) -> AbstractAsyncContextManager[Tokens]:
        """Personal access tokens."""
        ...

    def workflows(self) -> AbstractAsyncContextManager[Workflows]:
        """The workflow catalog; the local one needs no database."""
        ...

    def check_models(self, model: str | None, workflow_id: str) -> str:
        """Check before the start that the models can be used, as far as this is known here, and report warnings.

        Returns the model given, the default, or SERVER_DEFAULT_MODEL. Raises Invalid, LLMError.
        """
        ...

    def check_model(self, model: str) -> None:
        """The same for a single model."""
        ...

    def model_for(self, model: str | None) -> str:
        """The model given, the default, or SERVER_DEFAULT_MODEL. Reports warnings. Raises Invalid."""
        ...

    def stopping(self) -> str | None:
        """The message when a command that is running an execution is interrupted; None: no message yet."""
        ...

    def stopped(self, execution: str | None) -> str:
        """The message after it has stopped. ``execution``: None if it had not been started or found yet."""
        ...

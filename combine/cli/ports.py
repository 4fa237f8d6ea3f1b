"""What the commands need: the same whether a database is opened here or a server does the work. Types only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

if TYPE_CHECKING:  # the modules of most of these cost more to import than a command at a server takes
    from combine.auth.permissions import Scope
    from combine.brief.brief import Brief
    from combine.documents.statuses import DecisionAction, DocumentStatus, ExecutionStatus
    from combine.execution.replay import ReplayReport
    from combine.services.costs import CostReport, GroupBy
    from combine.services.definitions import WorkflowDetail
    from combine.services.documents import DocumentChanges, DocumentDetail, DocumentExport
    from combine.services.estimates import EstimateView
    from combine.services.executions import StartExecution
    from combine.services.forks import ForkExecution
    from combine.services.people_views import NewTokenView, TokenView
    from combine.services.projects import ProjectView
    from combine.services.replay import RecordingFile
    from combine.services.views import DocumentView, EventView, ExecutionDetail, ExecutionView, ExecutorView

PLACES_OWN_MODEL: Final = ""
"""No model is named: the place's default, which the estimate tells."""


class Inspection(Protocol):
    """Looks at executions."""

    async def list(
        self, project: str | None = None, status: ExecutionStatus | None = None, limit: int = 50
    ) -> tuple[ExecutionView, ...]:
        """The newest first."""
        ...

    async def detail(self, execution: str) -> ExecutionDetail:
        """One, by the beginning of its id."""
        ...

    async def executors(self) -> Sequence[ExecutorView] | None:
        """The processes that work; None: that cannot be seen from here."""
        ...

    def follow(self, execution_id: UUID, after_seq: int = 0) -> AsyncIterator[EventView]:
        """Events in order, none missing and none twice, until the execution rests."""
        ...


class Documents(Protocol):
    """Reads documents."""

    async def list(
        self, project: str | None = None, document_type: str | None = None, status: DocumentStatus | None = None
    ) -> tuple[DocumentView, ...]:
        """Versions, the newest first."""
        ...

    async def get(self, wanted: str, project: str | None = None, version: int | None = None) -> DocumentDetail:
        """One version, by the beginning of its id or by its type."""
        ...

    async def diff(
        self, wanted: str, project: str | None = None, old: int | None = None, new: int | None = None
    ) -> DocumentChanges:
        """What changed between two versions."""
        ...

    async def export(self, wanted: str, project: str | None = None, version: int | None = None) -> DocumentExport:
        """One version as JSON and as Markdown."""
        ...


class Costs(Protocol):
    """Reads the ledger."""

    async def report(self, by: GroupBy, project: str | None = None, since: datetime | None = None) -> CostReport:
        """Calls added up."""
        ...


class Estimates(Protocol):
    """Says what an execution may cost."""

    async def estimate(self, brief: Brief, workflow_id: str, model: str) -> EstimateView:
        """A range; ``model`` may be PLACES_OWN_MODEL where ``Place.check_models`` has said so."""
        ...


class Projects(Protocol):
    """Lists and caps projects."""

    async def list(self) -> tuple[ProjectView, ...]:
        """All by name."""
        ...

    async def set_budget(self, project: str, budget_usd: Decimal | None) -> ProjectView:
        """Cap one, or take its cap away."""
        ...


class Replays(Protocol):
    """Takes executions away, and rebuilds their documents."""

    async def file(self, execution: str, *, compress: bool) -> RecordingFile:
        """One as a file."""
        ...

    async def replay(self, execution: str) -> ReplayReport:
        """Rebuild its documents from the stored replies and compare."""
        ...


class Settling(Protocol):
    """Takes a person's word for what a call has cost."""

    async def settle(self, execution: str, call: str, usd: Decimal) -> UUID:
        """Of a call whose outcome is unknown; the execution's id."""
        ...


class Executions(Protocol):
    """What people do to executions; each returns the id of the one that goes on."""

    async def start(self, command: StartExecution) -> UUID:
        """Begin one; a project of that name is made if there is none."""
        ...

    async def answer(self, execution: str, given: Mapping[str, str], *, decide_rest: bool = False) -> UUID:
        """Settle open questions."""
        ...

    async def accept(self, execution: str, step_id: str | None = None) -> UUID:
        """Accept the document that waits."""
        ...

    async def reject(self, execution: str, reason: str, step_id: str | None = None) -> UUID:
        """Send it back."""
        ...

    async def decide(self, execution: str, action: DecisionAction, guidance: str | None = None) -> UUID:
        """Say what happens at a QA limit."""
        ...

    async def cancel(self, execution: str) -> UUID:
        """End it for good."""
        ...

    async def resume(self, execution: str, budget_usd: Decimal | None = None, *, allow_unpriced: bool = False) -> UUID:
        """Go on after a stop."""
        ...

    async def fork(self, execution: str, command: ForkExecution) -> UUID:
        """Begin one that takes over what stands before a step."""
        ...


class Tokens(Protocol):
    """Personal access tokens. ``user``: whose; only where the database is opened."""

    async def create(
        self, name: str, scope: Scope, *, expires_in_days: int = 90, user: str | None = None
    ) -> NewTokenView:
        """A new one, with its secret."""
        ...

    async def list(self, *, limit: int = 50, user: str | None = None) -> tuple[TokenView, ...]:
        """The newest first."""
        ...

    async def revoke(self, token_id: UUID) -> TokenView:
        """Make one worthless."""
        ...


class Workflows(Protocol):
    """Reads the catalog."""

    async def list(self) -> tuple[WorkflowDetail, ...]:
        """All by id."""
        ...

    async def get(self, workflow_id: str) -> WorkflowDetail:
        """One."""
        ...


class Reading(Protocol):
    """For the commands that only look."""

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
        """Costs said beforehand."""
        ...

    @property
    def projects(self) -> Projects:
        """Projects and their caps."""
        ...

    @property
    def replays(self) -> Replays:
        """Recordings."""
        ...

    @property
    def settling(self) -> Settling:
        """Calls whose outcome is unknown."""
        ...


class Working(Reading, Protocol):
    """For the commands that make an execution go on."""

    @property
    def executions(self) -> Executions:
        """What people do to them."""
        ...


class Place(Protocol):
    """Where commands do their work: in this process, or at a server."""

    def reading(self) -> AbstractAsyncContextManager[Reading]:
        """To look only."""
        ...

    def working(self, *, start: bool = True) -> AbstractAsyncContextManager[Working]:
        """To make executions go on. ``start=False``: only to end one."""
        ...

    def tokens(self) -> AbstractAsyncContextManager[Tokens]:
        """Personal access tokens."""
        ...

    def workflows(self) -> AbstractAsyncContextManager[Workflows]:
        """The catalog; needs no database here."""
        ...

    def check_models(self, model: str | None, workflow_id: str) -> str:
        """See, before anything is begun, that the models can be used, as far as that can be known here.

        Returns the one that was named, the default, or PLACES_OWN_MODEL. Warnings are told. Raises Invalid, LLMError.
        """
        ...

    def check_model(self, model: str) -> None:
        """The same for one model."""
        ...

    def model_for(self, model: str | None) -> str:
        """The one that was named, the default, or PLACES_OWN_MODEL. Warnings are told. Raises Invalid."""
        ...

    def stopping(self) -> str | None:
        """What to say when the person stops a command that an execution goes on with; None: nothing yet."""
        ...

    def stopped(self, execution: str | None) -> str:
        """What to say when it has stopped; None: before the execution was known."""
        ...

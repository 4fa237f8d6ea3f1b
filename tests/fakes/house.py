"""Executions without a queue: the runner and the services on real PostgreSQL, segments driven by hand."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import bakery

from combine.auth.permissions import OPERATOR, Actor
from combine.brief.reading import split_brief
from combine.engine.engine import Adoption
from combine.engine.outages import release_due
from combine.execution.kept_replies import KeptReplies
from combine.execution.runner import ExecutionRunner
from combine.execution.telemetry import Telemetry
from combine.llm.pricing import Pricing
from combine.llm.scripted import ScriptedProvider
from combine.records import Execution
from combine.services.commands import StartExecution
from combine.services.executions import ExecutionService
from combine.storage.core.database import Database
from combine.storage.core.visibility import EVERYTHING
from combine.storage.documents import Documents
from combine.storage.events import Events
from combine.storage.executions import Executions
from combine.storage.hot.claim import Claim
from combine.storage.questions import Questions
from combine.storage.snapshot import Depth, Snapshots
from combine.storage.steps import Steps
from combine.workflows.catalog import Catalog
from combine.workflows.definitions import definition_from_json, definition_to_json


@dataclass
class HandSegment:
    """A segment that a test claims and may take away."""

    house: "House"
    execution_id: UUID
    round: int
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    draining: bool = False
    lost: bool = False

    @property
    def claim(self) -> Claim:
        return Claim("SELECT 1 WHERE NOT cast(:claim_lost AS boolean)", {"claim_lost": self.lost})

    async def enqueue_next(self, session):
        self.house.queue.append((self.execution_id, self.round + 1))


class Requests:
    """A provider that keeps what it was asked."""

    name = "scripted"

    def __init__(self, script):
        self.script = ScriptedProvider(script)
        self.seen = []

    def provider(self, ref):
        return self

    async def complete(self, request, on_progress=None):
        self.seen.append(request)
        return await self.script.complete(request, on_progress)


class ProviderByName:
    """Several providers, each with a script of its own; what each was asked is in its ``seen``."""

    def __init__(self, scripts):
        self.of = {name: Requests(script) for name, script in scripts.items()}

    def provider(self, ref):
        return self.of[ref.provider]


@dataclass
class WithFallback:
    """The catalog, with a fallback model in every step."""

    catalog: Catalog
    model: str

    def __getattr__(self, name):
        return getattr(self.catalog, name)

    def workflow(self, workflow_id):
        raw = definition_to_json(self.catalog.workflow(workflow_id))
        for step in raw["steps"]:
            step["fallback_model"] = self.model
        return definition_from_json(raw)


@dataclass
class House:
    """Everything an execution needs, but for the queue."""

    database: Database
    catalog: Catalog
    queue: list[tuple[UUID, int]] = field(default_factory=list)
    pricing: Pricing = field(default_factory=lambda: Pricing({}))
    llm: Requests = field(default_factory=lambda: Requests(bakery.script()))
    adoption: Adoption = Adoption.ENDED
    daily_budget_usd: Decimal | None = None
    actor: Actor = OPERATOR

    # What the service knows of the engine.
    async def enqueue(self, session, execution_id, round_, *, shared=False):
        self.queue.append((execution_id, round_))

    async def adopt(self, session, execution_id, round_):
        return self.adoption

    @property
    def service(self) -> ExecutionService:
        return ExecutionService(
            self.database,
            self.catalog,
            self,
            self.pricing,
            actor=self.actor,
            daily_budget_usd=self.daily_budget_usd,
        )

    @property
    def runner(self) -> ExecutionRunner:
        return ExecutionRunner(
            self.database,
            self.catalog,
            self.llm,
            self.pricing,
            Telemetry(self.database),
            KeptReplies(self.database, None),
            max_output_tokens=1000,
            daily_budget_usd=self.daily_budget_usd,
        )

    def says(self, script: Mapping[str, Any] | Any) -> None:
        self.llm = Requests(script)

    async def release_due(self, now) -> int:
        """What a worker does now and then with executions that wait for a provider."""
        return await self.database.transact(lambda session: release_due(session, self.enqueue, now=now))

    async def start(self, **changes) -> str:
        given = {
            "brief": split_brief(bakery.BRIEF),
            "workflow_id": "strategy-document",
            "project": "bakery",
            "model": "scripted",
        }
        return str(await self.service.start(StartExecution(**(given | changes))))

    async def run(self) -> Execution:
        """Work the queue off; the last execution as it then stands."""
        execution_id = None
        while self.queue:
            execution_id, round_ = self.queue.pop(0)
            await asyncio.wait_for(self.runner.run(HandSegment(self, execution_id, round_)), 30)
        assert execution_id is not None
        return await self.row(execution_id)

    async def row(self, execution_id) -> Execution:
        async with self.database.read() as session:
            return await Executions(session).get(UUID(str(execution_id)))

    async def steps(self, execution_id):
        async with self.database.read() as session:
            return {step.step_id: step for step in await Steps(session).list(UUID(str(execution_id)))}

    async def overview(self, execution_id):
        async with self.database.read() as session:
            return await Snapshots(session).read(UUID(str(execution_id)), Depth.OVERVIEW)

    async def calls(self, execution_id):
        return (await self.overview(execution_id)).calls

    async def questions(self, execution_id):
        async with self.database.read() as session:
            return await Questions(session).list(UUID(str(execution_id)))

    async def findings(self, execution_id):
        return (await self.overview(execution_id)).findings

    async def findings_of(self, execution_id, step_id):
        return [row for row in await self.findings(execution_id) if row.step_id == step_id]

    async def events(self, execution_id):
        async with self.database.read() as session:
            return await Events(session).after(UUID(str(execution_id)))

    async def versions(self, execution_id):
        """(type, version, status), oldest first, the brief left out."""
        async with self.database.read() as session:
            rows = await Documents(session).list(EVERYTHING, execution_id=UUID(str(execution_id)))
        return sorted((row.type, row.version, row.status) for row in rows)

    async def documents(self, execution_id):
        async with self.database.read() as session:
            return await Documents(session).list(EVERYTHING, execution_id=UUID(str(execution_id)))

    async def content(self, execution_id, type_):
        """The content of the newest version of that type."""
        async with self.database.read() as session:
            rows = await Documents(session).list(EVERYTHING, execution_id=UUID(str(execution_id)), type_=type_)
            return (await Documents(session).get(rows[0].id)).content

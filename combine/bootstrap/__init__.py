"""The only place where objects are created from Settings and connected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from combine import __version__
from combine.auth.permissions import OPERATOR
from combine.llm.factory import LLMConfig, ModelPrice, ProviderFactory, parse_model
from combine.llm.pricing import Pricing
from combine.llm.protocol import LLMProvider
from combine.llm.slots import CallSlots
from combine.services.costs import CostService
from combine.services.documents import DocumentService
from combine.services.estimates import EstimateService
from combine.services.inspection import InspectionService
from combine.services.projects import ProjectService
from combine.services.replay import ReplayService
from combine.services.settling import SettlingService
from combine.settings import Settings
from combine.storage.core.database import Database
from combine.storage.core.listener import EventListener
from combine.storage.server.migrate import upgrade
from combine.workflows.catalog import Catalog, load_catalog

if TYPE_CHECKING:
    from combine.engine.engine import Engine
    from combine.services.doctor import DoctorService
    from combine.services.executions import ExecutionService

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LocalReadServices:
    """What read-only commands need."""

    settings: Settings
    database: Database
    catalog: Catalog
    listener: EventListener
    inspection: InspectionService
    documents: DocumentService
    costs: CostService
    estimates: EstimateService
    projects: ProjectService
    replays: ReplayService
    settling: SettlingService


@dataclass(frozen=True, slots=True)
class LocalWorkServices(LocalReadServices):
    """What commands that run executions need: the engine runs in this process."""

    engine: Engine
    executions: ExecutionService
    providers: ProviderFactory
    pricing: Pricing


def llm_config(settings: Settings) -> LLMConfig:
    """The settings of the language models."""
    return LLMConfig(
        anthropic_api_key=settings.anthropic_api_key,
        anthropic_base_url=settings.anthropic_base_url,
        openai_api_key=settings.openai_api_key,
        openai_base_url=settings.openai_base_url,
        connect_timeout_s=settings.llm_connect_timeout.total_seconds(),
        read_timeout_s=settings.llm_read_timeout.total_seconds(),
        max_retries=settings.llm_max_retries,
        retry_after_cap_s=settings.llm_retry_after_cap.total_seconds(),
        enable_caching=settings.llm_enable_caching,
        prices={
            name: ModelPrice(price.input, price.output, price.cache_read, price.cache_write)
            for name, price in settings.llm_prices.items()
        },
        scripted_file=settings.scripted_file,
    )


def provider_factory(settings: Settings) -> ProviderFactory:
    """All providers, including the offline drafter."""
    return ProviderFactory(llm_config(settings), {"offline": _offline_drafter})


def _offline_drafter() -> LLMProvider:
    from combine.drafter import OfflineProvider  # noqa: PLC0415 - loads language data

    return OfflineProvider()


def check_models(settings: Settings, model: str, workflow_id: str, warn: Report) -> None:
    """Check that every model of the workflow is usable as configured, before anything is started.

    Raises NotFound for an unknown workflow, Invalid for an unknown model, LLMError for a missing key.
    """
    workflow = load_catalog(settings.workflows_dir).workflow(workflow_id)
    factory = provider_factory(settings)
    named = [name for step in workflow.steps for name in (step.model or model, step.fallback_model) if name]
    for name in dict.fromkeys(named):
        ref, warning = parse_model(name)
        if warning is not None:
            warn(warning)
        factory.provider(ref)


def doctor_service(settings: Settings) -> DoctorService:
    """The service that checks what other commands need. Creating it opens and starts nothing."""
    from combine.services.doctor import DoctorService  # noqa: PLC0415 - only one command needs it

    secret = settings.database_url
    return DoctorService(
        None if secret is None else secret.get_secret_value(),
        settings.data_dir,
        provider_factory(settings),
    )


async def database_url(settings: Settings, report: Report) -> str:
    """The configured database's URL, or that of the embedded server, which is started if it is not running."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    from combine.storage.server.embedded import start_embedded  # noqa: PLC0415 - not needed with a configured database

    server = await asyncio.to_thread(start_embedded, settings.data_dir, report=report)
    return server.url


@asynccontextmanager
async def open_reading(settings: Settings, report: Report) -> AsyncIterator[LocalReadServices]:
    """A database with the current schema, the catalog, and the services that read. Closes what it opened."""
    async with AsyncExitStack() as stack:
        yield await _reading(settings, report, stack)


@asynccontextmanager
async def open_working(
    settings: Settings, report: Report, *, kind: str = "cli", shared: bool = False, start: bool = True
) -> AsyncIterator[LocalWorkServices]:
    """The same, with the engine running in this process.

    ``shared``: take segments from the queue shared by all workers; otherwise only those of this process's commands.
    ``start=False``: take no segments, for commands that only end an execution.
    """
    from combine.engine.engine import Engine  # noqa: PLC0415 - takes half a second, only for commands that run executions
    from combine.execution.kept_replies import KeptReplies  # noqa: PLC0415 - as above
    from combine.execution.runner import ExecutionRunner  # noqa: PLC0415 - as above
    from combine.execution.telemetry import Telemetry  # noqa: PLC0415 - as above
    from combine.services.executions import ExecutionService  # noqa: PLC0415 - as above

    async with AsyncExitStack() as stack:
        reading = await _reading(settings, report, stack)
        providers, pricing = provider_factory(settings), llm_config(settings).pricing()
        stack.push_async_callback(providers.close)
        slots = CallSlots(dict[str, int](settings.llm_concurrency.items()))
        replies = KeptReplies(reading.database, settings.data_dir.expanduser() / "replies")
        runner = ExecutionRunner(
            database=reading.database,
            catalog=reading.catalog,
            providers=providers,
            pricing=pricing,
            telemetry=Telemetry(reading.database),
            replies=replies,
            max_output_tokens=settings.llm_max_output_tokens,
            daily_budget_usd=settings.daily_budget_usd,
            slots=slots,
        )
        engine = Engine(
            reading.database,
            reading.listener,
            runner.run,
            kind=kind,
            shared=shared,
            replies=replies,
            version=__version__,
            concurrency=settings.worker_concurrency,
            drain_grace_s=settings.drain_grace.total_seconds(),
        )
        if start:
            stack.push_async_callback(engine.drain)
            stack.callback(slots.close)  # first, so that waiting calls are handed over at once
            await engine.start()
        yield LocalWorkServices(
            **{field.name: getattr(reading, field.name) for field in fields(reading)},
            engine=engine,
            executions=ExecutionService(
                reading.database,
                reading.catalog,
                engine,
                pricing,
                actor=OPERATOR,
                daily_budget_usd=settings.daily_budget_usd,
            ),
            providers=providers,
            pricing=pricing,
        )


async def _reading(settings: Settings, report: Report, stack: AsyncExitStack) -> LocalReadServices:
    catalog = load_catalog(settings.workflows_dir)
    url = await database_url(settings, report)
    await upgrade(url)
    database = Database(url, pool_size=settings.database_pool_size)
    stack.push_async_callback(database.close)
    listener = EventListener(url)
    await listener.start()
    stack.push_async_callback(listener.close)
    return LocalReadServices(
        settings=settings,
        database=database,
        catalog=catalog,
        listener=listener,
        inspection=InspectionService(database, listener, actor=OPERATOR),
        documents=DocumentService(database, catalog, actor=OPERATOR),
        costs=CostService(database, actor=OPERATOR),
        estimates=EstimateService(
            database, catalog, llm_config(settings).pricing(), settings.llm_max_output_tokens, actor=OPERATOR
        ),
        projects=ProjectService(database, actor=OPERATOR),
        replays=ReplayService(database, catalog, actor=OPERATOR, secrets=settings.secret_texts()),
        settling=SettlingService(database, actor=OPERATOR),
    )

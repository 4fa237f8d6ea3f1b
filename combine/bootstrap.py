"""The only place where objects are built from Settings and joined together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from combine import __version__
from combine.auth.one_time_links import OneTimeLinks
from combine.auth.permissions import OPERATOR, Actor
from combine.engine.queue import SharedQueue
from combine.engine.queue_tables import make_queue_tables
from combine.llm.factory import LLMConfig, ModelPrice, ProviderFactory, parse_model
from combine.llm.pricing import Pricing
from combine.llm.slots import CallSlots
from combine.observability.health import Readiness
from combine.services.audit import AuditService
from combine.services.authentication import AuthenticationService
from combine.services.bundle import Services, ServicesFor
from combine.services.costs import CostService
from combine.services.definitions import WorkflowService
from combine.services.documents import DocumentService
from combine.services.estimates import EstimateService
from combine.services.event_feed import EventFeed
from combine.services.inspection import InspectionService
from combine.services.invitations import InvitationService
from combine.services.members import MemberService
from combine.services.projects import ProjectService
from combine.services.replay import ReplayService
from combine.services.sessions import SessionService
from combine.services.tokens import TokenService
from combine.services.users import UserService
from combine.settings import Settings
from combine.storage.database import Database
from combine.storage.listener import EventListener
from combine.storage.migrate import fits, upgrade
from combine.workflows.catalog import Catalog, load_catalog

if TYPE_CHECKING:
    from combine.engine.engine import Engine
    from combine.services.doctor import DoctorService
    from combine.services.executions import ExecutionService
    from combine.services.sign_in import SignInService

Report = Callable[[str], None]

SERVING_PATIENCE = timedelta(seconds=1)
"""How long a request waits for a database that is away, or for one of its connections."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the commands that only look need."""

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


@dataclass(frozen=True, slots=True)
class Working(Reading):
    """What the commands that make an execution go on need: the engine runs in this process."""

    engine: Engine
    executions: ExecutionService
    providers: ProviderFactory
    pricing: Pricing


@dataclass(frozen=True, slots=True)
class Serving:
    """What the HTTP server needs. No segment runs in its process."""

    database: Database
    """Short of patience: whoever asks is told at once that it is away."""
    catalog: Catalog
    listener: EventListener
    feed: EventFeed
    readiness: Readiness
    authentication: AuthenticationService
    sign_in: SignInService
    one_time_links: OneTimeLinks | None
    """Of local mode; None: people sign in at a provider."""
    services_for: ServicesFor
    default_model: str


def llm_config(settings: Settings) -> LLMConfig:
    """The language models' share of the settings."""
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


def check_models(settings: Settings, model: str, workflow_id: str, warn: Report) -> None:
    """See that every model of the workflow can be used as configured, before anything is begun.

    Raises NotFound for an unknown workflow, Invalid for an unknown model, LLMError for a missing key.
    """
    workflow = load_catalog(settings.workflows_dir).workflow(workflow_id)
    factory = ProviderFactory(llm_config(settings))
    named = [name for step in workflow.steps for name in (step.model or model, step.fallback_model) if name]
    for name in dict.fromkeys(named):
        ref, warning = parse_model(name)
        if warning is not None:
            warn(warning)
        factory.provider(ref)


def doctor(settings: Settings) -> DoctorService:
    """Looks at what the other commands need; opens and starts nothing by being made."""
    from combine.services.doctor import DoctorService  # noqa: PLC0415 - one command needs it

    secret = settings.database_url
    return DoctorService(
        None if secret is None else secret.get_secret_value(),
        settings.data_dir,
        ProviderFactory(llm_config(settings)),
    )


async def database_url(settings: Settings, report: Report) -> str:
    """The configured database's URL, or that of the embedded server, which is started if it is not up."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    from combine.storage.embedded import start_embedded  # noqa: PLC0415 - a configured database never needs it

    server = await asyncio.to_thread(start_embedded, settings.data_dir, report=report)
    return server.url


@asynccontextmanager
async def open_reading(settings: Settings, report: Report) -> AsyncIterator[Reading]:
    """Database at the right schema, catalog and the services that read. Closes what it opened."""
    async with AsyncExitStack() as stack:
        yield await _reading(settings, report, stack)


@asynccontextmanager
async def open_working(
    settings: Settings, report: Report, *, kind: str = "cli", shared: bool = False, start: bool = True
) -> AsyncIterator[Working]:
    """The same, with the engine running in this process.

    ``shared``: take segments from the queue that all workers share; otherwise only those of this process's own
    commands. ``start=False``: for what only ends an execution; the engine takes nothing.
    """
    from combine.engine.engine import Engine  # noqa: PLC0415 - half a second that only working commands pay
    from combine.execution.runner import ExecutionRunner  # noqa: PLC0415 - as above
    from combine.execution.telemetry import Telemetry  # noqa: PLC0415 - as above
    from combine.services.executions import ExecutionService  # noqa: PLC0415 - as above

    async with AsyncExitStack() as stack:
        reading = await _reading(settings, report, stack)
        config = llm_config(settings)
        providers, pricing = ProviderFactory(config), config.pricing()
        stack.push_async_callback(providers.close)
        slots = CallSlots(dict[str, int](settings.llm_concurrency.items()))
        runner = ExecutionRunner(
            database=reading.database,
            catalog=reading.catalog,
            providers=providers,
            pricing=pricing,
            telemetry=Telemetry(reading.database),
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
            version=__version__,
            concurrency=settings.worker_concurrency,
            drain_grace_s=settings.drain_grace.total_seconds(),
        )
        if start:
            stack.push_async_callback(engine.drain)
            stack.callback(slots.close)  # first: what waits for its turn is handed on at once
            await engine.start()
        yield Working(
            settings=reading.settings,
            database=reading.database,
            catalog=reading.catalog,
            listener=reading.listener,
            inspection=reading.inspection,
            documents=reading.documents,
            costs=reading.costs,
            estimates=reading.estimates,
            projects=reading.projects,
            replays=reading.replays,
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


@asynccontextmanager
async def open_serving(settings: Settings, report: Report) -> AsyncIterator[Serving]:
    """What the HTTP server needs: the schema and the queue's tables in place, live events running.

    Needs the database once, to begin; from then on it may come and go.
    """
    async with AsyncExitStack() as stack:
        catalog = load_catalog(settings.workflows_dir)
        url = await database_url(settings, report)
        await upgrade(url)
        database = Database(
            url, pool_size=settings.database_pool_size, pool_timeout=SERVING_PATIENCE, patience=SERVING_PATIENCE
        )
        stack.push_async_callback(database.close)
        await make_queue_tables(database)
        listener = EventListener(url)
        await listener.start()
        stack.push_async_callback(listener.close)
        feed = EventFeed(database, listener)
        await feed.start()
        stack.push_async_callback(feed.close)
        # A connection of its own: that all others are busy is no reason to take a server out of service.
        watching = Database(url, pool_size=1, pool_timeout=SERVING_PATIENCE, patience=SERVING_PATIENCE)
        stack.push_async_callback(watching.close)
        yield Serving(
            database=database,
            catalog=catalog,
            listener=listener,
            feed=feed,
            readiness=_readiness(watching, listener),
            authentication=AuthenticationService(database, session_idle=settings.session_idle),
            sign_in=_sign_in(settings, database),
            one_time_links=None if settings.oidc_providers else OneTimeLinks(),
            services_for=_services_for(settings, database, catalog, listener),
            default_model=settings.llm_default_model,
        )


def _sign_in(settings: Settings, database: Database) -> SignInService:
    from combine.auth.oidc import OidcProviders  # noqa: PLC0415 - only the server needs its libraries
    from combine.auth.providers import provider_config  # noqa: PLC0415 - as above
    from combine.services.sign_in import SignInPolicy, SignInService  # noqa: PLC0415 - as above

    providers = OidcProviders(
        provider_config(
            name,
            one.client_id,
            client_secret=one.client_secret,
            issuer=one.issuer,
            tenant=one.tenant,
            label=one.label,
            scopes=one.scopes,
            trust_email=one.trust_email,
        )
        for name, one in settings.oidc_providers.items()
    )
    policy = SignInPolicy(
        allowed_domains=frozenset(settings.oidc_allowed_domains),
        bootstrap_admin=settings.bootstrap_admin,
        session_idle=settings.session_idle,
        session_lifetime=settings.session_lifetime,
    )
    return SignInService(database, providers, policy)


def _services_for(settings: Settings, database: Database, catalog: Catalog, listener: EventListener) -> ServicesFor:
    from combine.services.executions import ExecutionService  # noqa: PLC0415 - only the server and working commands

    pricing, queue, secrets = llm_config(settings).pricing(), SharedQueue(), settings.secret_texts()

    def services_for(actor: Actor) -> Services:
        return Services(
            actor=actor,
            audit=AuditService(database, actor=actor),
            costs=CostService(database, actor=actor),
            documents=DocumentService(database, catalog, actor=actor),
            estimates=EstimateService(database, catalog, pricing, settings.llm_max_output_tokens, actor=actor),
            executions=ExecutionService(
                database, catalog, queue, pricing, actor=actor, daily_budget_usd=settings.daily_budget_usd
            ),
            inspection=InspectionService(database, listener, actor=actor),
            invitations=InvitationService(database, actor=actor),
            members=MemberService(database, actor=actor),
            projects=ProjectService(database, actor=actor),
            replays=ReplayService(database, catalog, actor=actor, secrets=secrets),
            sessions=SessionService(database, actor=actor, session_idle=settings.session_idle),
            tokens=TokenService(database, actor=actor),
            users=UserService(database, actor=actor),
            workflows=WorkflowService(catalog),
        )

    return services_for


def _readiness(database: Database, listener: EventListener) -> Readiness:
    async def answers() -> bool:
        await database.ping()
        return True

    async def schema() -> bool:
        async with database.read() as session:
            return await fits(session)

    async def listens() -> bool:
        return listener.is_connected

    return Readiness({"database": answers, "schema": schema, "listener": listens})


async def _reading(settings: Settings, report: Report, stack: AsyncExitStack) -> Reading:
    catalog = load_catalog(settings.workflows_dir)
    url = await database_url(settings, report)
    await upgrade(url)
    database = Database(url, pool_size=settings.database_pool_size)
    stack.push_async_callback(database.close)
    listener = EventListener(url)
    await listener.start()
    stack.push_async_callback(listener.close)
    return Reading(
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
    )

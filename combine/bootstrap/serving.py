"""Builds what the HTTP server needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from combine.auth.permissions import Actor
from combine.auth.providers import SignInProviders, provider_config
from combine.auth.secrets import OneTimeLinks
from combine.bootstrap import Report, database_url, llm_config
from combine.engine.queue import SharedQueue
from combine.engine.queue_tables import make_queue_tables
from combine.observability.health import Readiness
from combine.services.audit import AuditService
from combine.services.authentication import AuthenticationService
from combine.services.bundle import Services, ServicesFor
from combine.services.costs import CostService
from combine.services.definitions import WorkflowService
from combine.services.documents import DocumentService
from combine.services.estimates import EstimateService
from combine.services.event_feed import EventFeed
from combine.services.executions import ExecutionService
from combine.services.inspection import InspectionService
from combine.services.invitations import InvitationService
from combine.services.members import MemberService
from combine.services.projects import ProjectService
from combine.services.replay import ReplayService
from combine.services.sessions import SessionService
from combine.services.settling import SettlingService
from combine.services.sign_in import SignInPolicy, SignInService
from combine.services.tokens import TokenService
from combine.services.users import UserService
from combine.settings import Settings
from combine.storage.core.database import Database
from combine.storage.core.listener import EventListener
from combine.storage.server.migrate import fits, upgrade
from combine.workflows.catalog import Catalog, load_catalog

SERVING_PATIENCE = timedelta(seconds=1)
"""How long a request waits for a database that is down, or for a connection of the pool."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What the HTTP server needs. It runs no segments in its process."""

    database: Database
    """With a short wait, so that requests fail quickly while it is down."""
    catalog: Catalog
    listener: EventListener
    feed: EventFeed
    readiness: Readiness
    authentication: AuthenticationService
    sign_in: SignInService
    one_time_links: OneTimeLinks | None
    """For local mode; None: people sign in with a provider."""
    services_for: ServicesFor
    default_model: str
    wait_for_database: Callable[[], Awaitable[None]] | None
    """Waits while the embedded database is stopped on purpose; None: the database is not embedded."""


@asynccontextmanager
async def open_serving(settings: Settings, report: Report) -> AsyncIterator[Serving]:
    """What the HTTP server needs, with the schema and the queue's tables created and the event feed running.

    The database must be up at the start; later it may go down and come back. The embedded one is restarted if it dies.
    """
    async with AsyncExitStack() as stack:
        catalog = load_catalog(settings.workflows_dir)
        url = await database_url(settings, report)
        await upgrade(url)
        database = Database(
            url,
            pool_size=settings.database_pool_size,
            pool_timeout=SERVING_PATIENCE,
            patience=SERVING_PATIENCE,
            discreet=True,
        )
        stack.push_async_callback(database.close)
        await make_queue_tables(database)
        listener = EventListener(url)
        await listener.start()
        stack.push_async_callback(listener.close)
        wait_for_database = None
        if settings.database_url is None:
            from combine.bootstrap.keeping import keep_running, wait_while_stopped  # noqa: PLC0415 - not needed with a configured database

            wait_for_database = partial(wait_while_stopped, settings.data_dir)
            await stack.enter_async_context(keep_running(settings.data_dir, listener, report))
        feed = EventFeed(database, listener)
        await feed.start()
        stack.push_async_callback(feed.close)
        # Its own connection: a server whose pool is busy must not be reported as not ready.
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
            wait_for_database=wait_for_database,
        )


def _sign_in(settings: Settings, database: Database) -> SignInService:
    policy = SignInPolicy(
        allowed_domains=frozenset(settings.oidc_allowed_domains),
        bootstrap_admin=settings.bootstrap_admin,
        session_idle=settings.session_idle,
        session_lifetime=settings.session_lifetime,
    )
    return SignInService(database, _providers(settings), policy)


def _providers(settings: Settings) -> SignInProviders:
    if not settings.oidc_providers:
        return SignInProviders()
    from combine.auth.oidc import OidcClient  # noqa: PLC0415 - its libraries take 14 MB, and local mode does not need them

    return SignInProviders(
        OidcClient(
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
        )
        for name, one in settings.oidc_providers.items()
    )


def _services_for(settings: Settings, database: Database, catalog: Catalog, listener: EventListener) -> ServicesFor:
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
            settling=SettlingService(database, actor=actor),
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

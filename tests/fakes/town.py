"""People, projects, and the door through which people come in: what tests of rights and of signing in stand on."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import sqlalchemy as sa
from own_issuer import CLIENT_ID, CLIENT_SECRET
from pydantic import SecretStr

from combine.auth.oidc import OidcClient
from combine.auth.permissions import OPERATOR, Actor, InstanceRole, ProjectRole, Scope
from combine.auth.providers import SignInProviders, provider_config
from combine.services.audit import AuditService
from combine.services.authentication import AuthenticationService
from combine.services.sign_in import Browser, SignInPolicy, SignInService
from combine.storage.core.database import Database
from combine.storage.people.members import Members
from combine.storage.people.users import Identities, Users
from combine.storage.projects import Projects

COOKIE = "the-cookie-of-this-browser"
CALLBACK = "http://localhost:8765/login/own/callback"
NO_SESSION = Browser()
IDLE, LIFETIME = timedelta(hours=12), timedelta(days=7)


def config_of(issuer, name="own", **more):
    given = {"client_secret": SecretStr(CLIENT_SECRET), "label": name.title(), **more}
    return provider_config(name, CLIENT_ID, issuer=issuer.url, **given)


@dataclass
class Door:
    """The services of signing in, and the way through them."""

    database: Database
    configs: tuple
    allowed_domains: frozenset = frozenset({"example.org"})
    bootstrap_admin: str | None = None
    sign_in: SignInService = field(init=False)

    def __post_init__(self):
        policy = SignInPolicy(self.allowed_domains, self.bootstrap_admin, IDLE, LIFETIME)
        self.sign_in = SignInService(self.database, SignInProviders(map(OidcClient, self.configs)), policy)
        self.authentication = AuthenticationService(self.database, session_idle=IDLE)

    async def begin(self, provider="own", next_path="/", cookie=COOKIE, **more):
        return await self.sign_in.begin(provider, next_path, cookie, CALLBACK, **more)

    async def finish(self, params, provider="own", cookie=COOKIE, browser=NO_SESSION):
        return await self.sign_in.finish(provider, params, cookie, CALLBACK, browser)

    async def through(self, issuer, subject, email, *, provider="own", session=None, link_user_id=None, **claims):
        issuer.sign_in_as(subject, email, **claims)
        url = await self.begin(provider, link_user_id=link_user_id)
        return await self.finish(issuer.consent(url), provider, browser=Browser(session_secret=session))

    async def actor(self, signed_in):
        return await self.authentication.authenticate_session(signed_in.session_secret)


@dataclass
class Town:
    """People and projects, without the ceremony of signing in."""

    database: Database

    async def person(self, name, role=InstanceRole.MEMBER, scope=Scope.ADMIN):
        user_id, email = uuid4(), f"{name}@example.org"

        async def work(session):
            assert await Users(session).insert(user_id, name, email, role)
            await Identities(session).insert(user_id, "https://login.example.org", name, "own", email)

        await self.database.transact(work)
        return Actor(user_id, role, scope)

    async def project(self, name="Shop", **roles):
        project_id = uuid4()

        async def work(session):
            await Projects(session).insert(project_id, name)

        await self.database.transact(work)
        for actor, role in roles.get("members", {}).items():
            await self.join(project_id, actor, role)
        return project_id

    async def join(self, project_id, actor, role):
        await self.database.transact(
            lambda session: Members(session).set_role(project_id, actor.user_id, ProjectRole(role))
        )

    async def roles(self, project_id):
        """Name -> role of the members."""
        async with self.database.read() as session:
            return {row.name: row.role for row in await Members(session).list(project_id)}

    async def run(self, statement, **given):
        """One statement, for what only time would do."""
        return await self.database.transact(lambda session: session.connection.execute(sa.text(statement), given))

    async def audit(self):
        """Actions in the order in which they were done."""
        rows = await AuditService(self.database, actor=OPERATOR).list(limit=1000)
        return [row.action for row in reversed(rows)]
